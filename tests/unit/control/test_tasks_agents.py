"""``agents.turn``: one answer per attempt, from what the log says, within its time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from task_harness import LANE, LaneReader, a_placed_record, a_record, say, task_context, texts_of

from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import agents
from voicebackend.agents import HistoryEntry, Turn
from voicebackend.errors import SessionNotActive
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind

Register = Callable[[Callable[[Turn], Any]], None]


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with; an agent has a second."""
    async with task_context(deployment, timeout=1) as context:
        yield context


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a function as the agent ``test`` for this test."""

    def put(function: Callable[[Turn], Any]) -> None:
        monkeypatch.setitem(agents._agents, "test", function)

    return put


async def ask(shared: TaskContext, transcript: str = "hello", turn: int = 1, attempt: int = 1) -> str:
    """Write a session, what its caller said and the attempt, as the worker does; return the session's id."""
    record = a_placed_record(agent="test")
    await shared.store.create(record)
    await say(shared, record.id, turn, transcript)
    await publish(shared, record.id, turn, attempt, said=transcript)
    return record.id


async def publish(
    shared: TaskContext, session: str, turn: int, attempt: int, *, said: str = "hello", speculative: bool = False
) -> None:
    """Note an attempt as the worker does."""
    noted: dict[Any, Any] = {"current": attempt, "said": said} | ({} if speculative else {"committed": attempt})
    await shared.state.hset(shared.keys.turn(session, turn), mapping=noted)
    await shared.state.expire(shared.keys.turn(session, turn), 60)


async def test_an_agent_answers_into_the_lane(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """Started, its text, done."""
    register(lambda turn: f"you said {turn.transcript}")
    session = await ask(shared)
    await AgentTurn(shared, session, 1, 1).answer()
    frames = await lane.answer()
    assert [frame.kind for frame in frames] == [Kind.AGENT_STARTED, Kind.AGENT_DELTA, Kind.AGENT_DONE]
    assert texts_of(frames) == ["you said hello"]


async def test_an_agent_is_given_the_session_and_what_was_said_before(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """History has what was spoken, cuts marked; this turn and what was not final are not in it."""
    given: list[Turn] = []
    register(given.append)
    record = a_placed_record(agent="test", metadata={"order": 7})
    await shared.store.create(record)
    await say(shared, record.id, 0, "Hello, how can I help?", role="agent")
    await say(shared, record.id, 1, "A table")
    await say(shared, record.id, 1, "For how", role="agent", interrupted=True)
    await say(shared, record.id, 2, "For t", final=False)
    await say(shared, record.id, 2, "For two")
    await publish(shared, record.id, 2, 3, said="For two")
    await AgentTurn(shared, record.id, 2, 3).answer()
    (turn,) = given
    assert turn.history == (
        HistoryEntry(role="agent", text="Hello, how can I help?", turn=0),
        HistoryEntry(role="user", text="A table", turn=1),
        HistoryEntry(role="agent", text="For how", turn=1, interrupted=True),
    )
    assert (turn.number, turn.attempt, turn.transcript) == (2, 3, "For two")
    assert (turn.session_id, turn.user_id, turn.metadata) == (record.id, "ada", {"order": 7})
    assert (await lane.answer())[-1].seq == 0


async def test_a_task_delivered_twice_answers_once(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """Two agents must not talk at once."""
    asked: list[Turn] = []
    register(asked.append)
    session = await ask(shared)
    await AgentTurn(shared, session, 1, 1).answer()
    await AgentTurn(shared, session, 1, 1).answer()
    assert [turn.attempt for turn in asked] == [1]
    assert [frame.kind for frame in await lane.answer()] == [Kind.AGENT_STARTED, Kind.AGENT_DONE]


async def test_an_attempt_that_was_replaced_does_not_run(shared: TaskContext, register: Register) -> None:
    """The worker gave it up."""
    register(lambda turn: pytest.fail("it ran"))
    session = await ask(shared, attempt=2)
    await AgentTurn(shared, session, 1, 1).answer()
    assert await shared.state.hget(shared.keys.turn(session, 1), "claimed") is None


async def test_a_side_effect_happens_once_over_two_attempts(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """The second attempt speaks of the first's booking."""
    booked: list[int] = []

    def agent(turn: Turn) -> str:
        def book() -> int:
            booked.append(turn.attempt)
            return len(booked)

        return f"booked as number {turn.once('book', book)}"

    register(agent)
    session = await ask(shared)
    await AgentTurn(shared, session, 1, 1).answer()
    await publish(shared, session, 1, 2)
    await AgentTurn(shared, session, 1, 2).answer()
    assert booked == [1]
    assert texts_of(await lane.answer()) == texts_of(await lane.answer()) == ["booked as number 1"]


def raises(turn: Turn) -> str:
    raise ValueError(turn.transcript)


async def raises_its_own_timeout(turn: Turn) -> str:
    raise TimeoutError


def gives_a_number(turn: Turn) -> Any:
    return 42


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (raises, "ValueError"),
        (raises_its_own_timeout, "TimeoutError"),
        (gives_a_number, "the agent answered with int, not with text"),
    ],
)
async def test_an_agent_that_fails_is_an_agent_error_in_the_lane(
    shared: TaskContext,
    lane: LaneReader,
    register: Register,
    agent: Callable[[Turn], Any],
    message: str,
) -> None:
    """Without what the caller said."""
    register(agent)
    session = await ask(shared, transcript="my secret number")
    await AgentTurn(shared, session, 1, 1).answer()
    assert (await lane.answer())[-1].json() == {"code": "agent_error", "message": message}


async def test_an_agent_nobody_registered_is_an_agent_error(shared: TaskContext, lane: LaneReader) -> None:
    """The message says what to set."""
    session = await ask(shared)
    await AgentTurn(shared, session, 1, 1).answer()
    told = (await lane.answer())[-1].json()
    assert told["code"] == "agent_error"
    assert "VOICEBACKEND_AGENTS" in told["message"]


async def test_agents_that_hang_time_out(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """In a thread as on the loop."""
    release = threading.Event()

    async def sleeps(turn: Turn) -> None:
        await asyncio.sleep(3600)

    session = await ask(shared)
    for attempt, agent in enumerate((lambda _: release.wait(20) and None, sleeps), start=1):
        register(agent)
        await publish(shared, session, 1, attempt)
        await AgentTurn(shared, session, 1, attempt).answer()
        assert (await lane.answer())[-1].json()["code"] == "timeout"
    release.set()


async def test_an_agent_that_is_cancelled_stops_and_says_nothing_more(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """Its finally block runs; neither done nor failed follows."""
    closed = threading.Event()

    def agent(turn: Turn) -> Iterator[str]:
        try:
            while True:
                yield "and "
                closed.wait(0.01)
        finally:
            closed.set()

    register(agent)
    session = await ask(shared)
    running = asyncio.create_task(AgentTurn(shared, session, 1, 1).answer())
    await lane.until(Kind.AGENT_DELTA)
    await shared.state.hset(shared.keys.turn(session, 1), "cancelled", "1")
    await running
    assert await asyncio.to_thread(closed.wait, 5)
    await shared.tell_lane(LANE, Frame(session=session, kind=Kind.DTMF))
    assert {frame.kind for frame in await lane.until(Kind.DTMF)} == {Kind.AGENT_DELTA, Kind.DTMF}


async def test_a_session_in_no_lane_has_nobody_to_answer_to(shared: TaskContext, redis: Redis) -> None:
    """The task fails, and no agent runs."""
    record = a_record(agent="test")
    await shared.store.create(record)
    await publish(shared, record.id, 1, 1)
    with pytest.raises(SessionNotActive):
        await AgentTurn(shared, record.id, 1, 1).answer()

"""An agent's task and keys: what it is told of them, what it can read once, and what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from task_harness import LaneReader, a_placed_record, say, task_context, texts_of

from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import agents
from voicebackend.agents import Turn
from voicebackend.digits import Collected, KeysEnd
from voicebackend.errors import AgentError
from voicebackend.sealing import Seal
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind

Register = Callable[[Callable[[Turn], Any]], None]
NUMBER = "6789869779869768"


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with."""
    async with task_context(deployment, timeout=2) as context:
        yield context


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a function as the agent ``test`` for this test."""

    def put(function: Callable[[Turn], Any]) -> None:
        monkeypatch.setitem(agents._agents, "test", function)

    return put


async def typed(shared: TaskContext, *, sensitive: bool) -> str:
    """Write a session whose caller typed a number, as the worker does; return its id."""
    record = a_placed_record(agent="test")
    await shared.store.create(record)
    seal = Seal(shared.deployment.token_secret, record.id)
    collected = Collected.of(NUMBER, KeysEnd.UNTIL, seal, sensitive=sensitive)
    await say(shared, record.id, 1, collected.text)
    await attempt(shared, record.id, 1, digits=collected.told(), said=collected.text)
    if sensitive:
        await shared.state.set(shared.keys.turn_digits(record.id, 1), collected.sealed, ex=60)
    return record.id


async def attempt(shared: TaskContext, session: str, number: int, **more: str) -> None:
    """Note an attempt as the worker does."""
    noted: dict[Any, Any] = {"current": number, "committed": number, **more}
    await shared.state.hset(shared.keys.turn(session, 1), mapping=noted)
    await shared.state.expire(shared.keys.turn(session, 1), 60)


async def answered(shared: TaskContext, lane: LaneReader, session: str, number: int = 1) -> list[Frame]:
    """Return the frames of an attempt."""
    await AgentTurn(shared, session, 1, number).answer()
    return list(await lane.answer())


async def test_sensitive_digits_can_be_read_once(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """By the agent's code; they are gone from Redis then, and no other attempt has them."""
    given: list[Turn] = []
    read: list[str] = []

    def agent(turn: Turn) -> str:
        assert turn.digits is not None
        given.append(turn)
        try:
            read.append(turn.digits.reveal())
        except AgentError as error:
            return error.message
        return "thank you"

    register(agent)
    session = await typed(shared, sensitive=True)
    assert texts_of(await answered(shared, lane, session)) == ["thank you"]
    assert read == [NUMBER]
    assert not await shared.state.exists(shared.keys.turn_digits(session, 1))
    [turn] = given
    assert turn.digits is not None
    assert (turn.transcript, turn.digits.count, turn.digits.value) == ("[16 digits]", 16, None)
    assert NUMBER not in repr(turn)
    await attempt(shared, session, 2)
    assert "revealed before" in "".join(texts_of(await answered(shared, lane, session, 2)))


async def test_an_attempt_that_did_not_read_them_leaves_them_for_the_next(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """The first was lost before the agent came to it."""
    register(lambda turn: "no")
    session = await typed(shared, sensitive=True)
    await answered(shared, lane, session)

    async def agent(turn: Turn) -> str:
        assert turn.digits is not None
        return str(await asyncio.to_thread(turn.digits.reveal) == NUMBER)

    register(agent)
    await attempt(shared, session, 2)
    assert texts_of(await answered(shared, lane, session, 2)) == ["True"]


async def test_other_digits_can_be_read_as_often_as_wanted(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """Each attempt has them; a turn without keys has none."""

    def agent(turn: Turn) -> str:
        assert turn.digits is not None
        return f"{turn.digits.value == turn.digits.reveal() == NUMBER} {turn.digits.ended}"

    register(agent)
    session = await typed(shared, sensitive=False)
    for number in (1, 2):
        await attempt(shared, session, number)
        assert texts_of(await answered(shared, lane, session, number)) == ["True until"]


@pytest.mark.parametrize("kind", ["function", "generator", "coroutine", "late"])
async def test_what_an_agent_asks_for_comes_into_the_lane(
    kind: str, shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """Of whatever kind it is; before the words, if it asks before them."""

    def function(turn: Turn) -> str:
        turn.collect_digits(max_digits=4, sensitive=True)
        return "type it"

    def generator(turn: Turn) -> Iterator[str]:
        turn.collect_digits(max_digits=4, sensitive=True)
        yield "type it"

    async def coroutine(turn: Turn) -> str:
        turn.collect_digits(max_digits=4, sensitive=True)
        return "type it"

    def late(turn: Turn) -> Iterator[str]:
        yield "type it"
        turn.collect_digits(max_digits=4, sensitive=True)

    register({"function": function, "generator": generator, "coroutine": coroutine, "late": late}[kind])
    session = await typed(shared, sensitive=False)
    frames = await answered(shared, lane, session)
    kinds = [frame.kind for frame in frames]
    asked = kinds.index(Kind.AGENT_COLLECT)
    assert frames[asked].json()["max_digits"] == 4
    assert frames[asked].json()["sensitive"] is True
    assert kinds[0] is Kind.AGENT_STARTED
    assert kinds[-1] is Kind.AGENT_DONE
    if kind != "late":
        assert asked < kinds.index(Kind.AGENT_DELTA)
    assert frames[-1].seq == kinds.count(Kind.AGENT_DELTA)


async def test_an_agent_that_asks_for_nonsense_fails(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """Nothing is asked for, and the caller hears an apology."""
    register(lambda turn: turn.collect_digits(max_digits=0))
    session = await typed(shared, sensitive=False)
    frames = await answered(shared, lane, session)
    assert [frame.kind for frame in frames] == [Kind.AGENT_STARTED, Kind.AGENT_FAILED]

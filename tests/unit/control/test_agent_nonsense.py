"""Whatever an agent gives, the lane hears one clear end of it: done, ``agent_error`` or ``timeout``."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from task_harness import LaneReader, a_placed_record, task_context, texts_of

from control.agents.reply import MAX_ANSWER
from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import agents
from voicebackend.agents import Turn
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind

Agent = Callable[[Turn], Any]
RELEASE = threading.Event()
"""Set when the tests end, for the threads of agents that hang."""


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with; an agent has a second."""
    async with task_context(deployment, timeout=1) as context:
        yield context


@pytest.fixture(scope="module", autouse=True)
def release() -> Iterator[None]:
    """Let the threads end that the tests gave up."""
    yield
    RELEASE.set()


async def frames_of(
    shared: TaskContext, lane: LaneReader, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> list[Frame]:
    """Let the agent answer one turn, and return what the lane heard."""
    monkeypatch.setitem(agents._agents, "test", agent)
    record = a_placed_record(agent="test")
    await shared.store.create(record)
    key = shared.keys.turn(record.id, 1)
    await shared.state.hset(key, mapping={"current": "1", "committed": "1", "said": "hello"})
    await shared.state.expire(key, 60)
    await AgentTurn(shared, record.id, 1, 1).answer()
    return await lane.answer()


async def hangs_in_a_thread(turn: Turn) -> AsyncIterator[str]:
    yield "Let me see. "
    await asyncio.to_thread(RELEASE.wait, 20)


async def never_answers(turn: Turn) -> None:
    await asyncio.sleep(3600)


async def ends_late(turn: Turn) -> AsyncIterator[str]:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.1)
    yield "too late"


def yields_slowly_for_ever(turn: Turn) -> Iterator[str]:
    while not RELEASE.is_set():
        yield "and "
        time.sleep(0.05)


def a_list_of_bytes(turn: Turn) -> Any:
    return [b"hello"]


async def raises_half_way(turn: Turn) -> AsyncIterator[str]:
    yield "I think "
    raise RuntimeError(turn.transcript)


def cannot_be_iterated(turn: Turn) -> Any:
    class Broken:
        def __iter__(self) -> Iterator[str]:
            raise MemoryError

    return Broken()


FAILURES: list[tuple[Agent, str]] = [
    (lambda _: b"hello", "agent_error"),
    (lambda _: float("nan"), "agent_error"),
    (lambda _: object(), "agent_error"),
    (lambda _: {"text": "hello"}, "agent_error"),
    (lambda _: True, "agent_error"),
    (lambda _: agents, "agent_error"),
    (lambda _: ["hello", None], "agent_error"),
    (a_list_of_bytes, "agent_error"),
    (cannot_be_iterated, "agent_error"),
    (lambda _: "x" * 1_000_000, "agent_error"),
    (lambda _: iter(lambda: "x" * 1000, None), "agent_error"),
    (raises_half_way, "agent_error"),
    (lambda: "it takes no turn", "agent_error"),  # type: ignore[list-item]  # that is the point
    (lambda _: RELEASE.wait(20) and None, "timeout"),
    (never_answers, "timeout"),
    (ends_late, "timeout"),
    (hangs_in_a_thread, "timeout"),
    (yields_slowly_for_ever, "timeout"),
]


@pytest.mark.parametrize(("agent", "code"), FAILURES)
async def test_nonsense_ends_with_its_code(
    shared: TaskContext, lane: LaneReader, monkeypatch: pytest.MonkeyPatch, agent: Agent, code: str
) -> None:
    """Once, as the last frame, in words that are not the caller's."""
    frames = await frames_of(shared, lane, agent, monkeypatch)
    assert frames[0].kind is Kind.AGENT_STARTED
    assert [frame.kind for frame in frames].count(Kind.AGENT_FAILED) == 1
    assert frames[-1].json()["code"] == code
    assert "hello" not in frames[-1].json()["message"]
    assert sum(len(text) for text in texts_of(frames)) <= MAX_ANSWER


ANSWERS: list[tuple[Any, str]] = [
    (None, ""),
    ("", ""),
    ([], ""),
    (" \n\t ", ""),
    (["", " ", "\n"], ""),
    ("\ud83d", "?"),
    (["\ud83d", "\ude00"], "??"),
    ("a\x00b", "a\x00b"),
    ("\N{GRINNING FACE}" * 2, "\N{GRINNING FACE}" * 2),
]


@pytest.mark.parametrize(("answer", "said"), ANSWERS)
async def test_an_odd_answer_is_still_an_answer(
    shared: TaskContext, lane: LaneReader, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    """An agent may choose to be silent; half a character becomes a question mark."""
    frames = await frames_of(shared, lane, lambda _: answer, monkeypatch)
    assert frames[-1].kind is Kind.AGENT_DONE
    assert "".join(texts_of(frames)) == said


async def test_an_agent_that_ignores_its_end_does_not_keep_the_turn(
    shared: TaskContext, lane: LaneReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn is over when its time is, whatever the agent makes of its cancellation."""
    ended = asyncio.Event()

    async def agent(turn: Turn) -> str:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    frames = await frames_of(shared, lane, agent, monkeypatch)
    assert frames[-1].json()["code"] == "timeout"
    ended.set()
    await asyncio.sleep(0)

"""Agents of every kind say the same thing, and whatever they do wrong stays theirs."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from control.agents.hung_threads import HungThreads
from control.agents.runner import texts
from control.agents.thread import AHEAD, AgentThread
from voicebackend.agents import Turn
from voicebackend.errors import AgentError

TURN = Turn(session_id="1" * 32, number=1, transcript="hello")


def plain(turn: Turn) -> str:
    return f"you said {turn.transcript}"


async def coroutine(turn: Turn) -> str:
    await asyncio.sleep(0)
    return plain(turn)


def generator(turn: Turn) -> Iterator[str]:
    yield "you said "
    yield turn.transcript


async def async_generator(turn: Turn) -> AsyncIterator[str]:
    yield "you said "
    await asyncio.sleep(0)
    yield turn.transcript


def returns_awaitable(turn: Turn) -> Awaitable[str]:
    return coroutine(turn)


def returns_async_iterator(turn: Turn) -> AsyncIterator[str]:
    return async_generator(turn)


async def coroutine_returns_list(turn: Turn) -> list[str]:
    return list(generator(turn))


async def coroutine_returns_async_iterator(turn: Turn) -> AsyncIterator[str]:
    return async_generator(turn)


class PlainObject:
    def __call__(self, turn: Turn) -> str:
        return plain(turn)


class AsyncObject:
    async def __call__(self, turn: Turn) -> str:
        return await coroutine(turn)


KINDS: list[Callable[[Turn], Any]] = [
    plain,
    coroutine,
    generator,
    async_generator,
    returns_awaitable,
    returns_async_iterator,
    coroutine_returns_list,
    coroutine_returns_async_iterator,
    PlainObject(),
    AsyncObject(),
    functools.partial(plain),
    lambda turn: iter([plain(turn)]),
]


async def all_texts(agent: Callable[[Turn], Any]) -> list[str]:
    """Return everything an agent says."""
    return [text async for text in texts(agent, TURN)]


@pytest.mark.parametrize("agent", KINDS, ids=lambda agent: getattr(agent, "__name__", type(agent).__name__))
async def test_every_kind_of_agent_is_heard(agent: Callable[[Turn], Any]) -> None:
    """What matters is the text, not how it is given."""
    assert "".join(await all_texts(agent)) == "you said hello"


@pytest.mark.parametrize("nothing", [None, "", [], ["", ""], iter(())])
async def test_an_agent_may_say_nothing(nothing: Any) -> None:
    """Silence is an answer."""
    assert "".join(await all_texts(lambda _: nothing)) == ""


@pytest.mark.parametrize("answer", [42, b"bytes", {"text": "hi"}, ["fine", 3], object()])
async def test_an_answer_that_is_not_text_is_an_agent_error(answer: Any) -> None:
    """Nothing is guessed; a mapping's keys are not read out."""
    with pytest.raises(AgentError, match="not with text"):
        await all_texts(lambda _: answer)


async def test_text_before_what_is_not_text_is_heard() -> None:
    """A stream goes as far as it is good."""
    answer: Any = ["fine", 3]
    stream = texts(lambda _: answer, TURN)
    assert await anext(stream) == "fine"
    with pytest.raises(AgentError):
        await anext(stream)


def _raise(error: BaseException) -> Callable[[Turn], Any]:
    def agent(turn: Turn) -> Any:
        raise error

    return agent


def _raise_async(error: BaseException) -> Callable[[Turn], Any]:
    async def agent(turn: Turn) -> Any:
        raise error

    return agent


@pytest.mark.parametrize("kind", [_raise, _raise_async])
@pytest.mark.parametrize(
    "error", [ValueError("the caller's secret"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
async def test_whatever_an_agent_raises_is_an_agent_error_without_its_words(
    kind: Callable[[BaseException], Callable[[Turn], Any]], error: BaseException
) -> None:
    """Not even ``sys.exit`` gets through to the process."""
    with pytest.raises(AgentError) as caught:
        await all_texts(kind(error))
    assert caught.value.message == type(error).__name__


async def test_plain_agents_run_in_a_thread_of_their_own_and_async_ones_on_the_loop() -> None:
    """Blocking is allowed where it harms nobody."""
    here = threading.get_ident()

    async def on_loop(turn: Turn) -> str:
        return str(threading.get_ident())

    assert await all_texts(on_loop) == [str(here)]
    assert await all_texts(lambda _: str(threading.get_ident())) != [str(here)]


async def test_closing_a_stream_runs_the_generators_finally_in_its_thread() -> None:
    """What the agent opened, it closes."""
    closed = threading.Event()
    where: list[int] = []

    def agent(turn: Turn) -> Iterator[str]:
        where.append(threading.get_ident())
        try:
            while True:
                yield "more "
        finally:
            where.append(threading.get_ident())
            closed.set()

    async with aclosing(texts(agent, TURN)) as stream:
        assert await anext(stream) == "more "
    assert await asyncio.to_thread(closed.wait, 5)
    assert where[0] == where[1]


async def test_closing_a_stream_closes_an_async_generator() -> None:
    """The same for agents on the loop."""
    closed = []

    async def agent(turn: Turn) -> AsyncIterator[str]:
        try:
            while True:
                yield "more "
        finally:
            closed.append(True)

    async with aclosing(texts(agent, TURN)) as stream:
        assert await anext(stream) == "more "
    assert closed == [True]


async def test_a_generator_runs_ahead_only_so_far() -> None:
    """An agent that never ends does not fill the memory."""
    given = 0

    def endless() -> Iterator[str]:
        nonlocal given
        while True:
            given += 1
            yield "x"

    thread = AgentThread(endless)
    async with aclosing(thread.pieces()) as pieces:
        await anext(pieces)
        await asyncio.sleep(0.1)
        assert given <= AHEAD + 2


async def test_threads_that_do_not_end_are_counted_and_at_the_limit_the_process_asks_to_be_replaced() -> None:
    """Python cannot end a thread, so only a new process helps."""
    release, asked = threading.Event(), asyncio.Event()
    hung = HungThreads(limit=2, grace_s=0.05)
    hung.recycle = asked.set
    try:
        for _ in range(2):
            stream = AgentThread(release.wait, hung=hung).pieces()
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert hung.count() == 0
        async with asyncio.timeout(5):
            await asked.wait()
        assert repr(hung) == "<HungThreads [2 of 2]>"
    finally:
        release.set()
    async with asyncio.timeout(5):
        while hung.count():  # noqa: ASYNC110 - a thread's end sets no event
            await asyncio.sleep(0.01)


async def test_a_thread_that_ends_late_is_not_hung() -> None:
    """Barge-in leaves many threads waiting for their next word for a moment."""
    hung = HungThreads(limit=1, grace_s=0.05)
    hung.recycle = lambda: pytest.fail("nothing hangs")
    release = threading.Event()
    waiting = asyncio.ensure_future(anext(AgentThread(release.wait, hung=hung).pieces()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    release.set()
    await asyncio.sleep(0.15)
    assert hung.count() == 0

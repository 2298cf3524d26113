"""Whatever kind an agent's function is, its words come as one stream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from voicebackend.client.replies import reply_texts
from voicebackend.errors import AgentError, RateLimitExceeded


async def said(function: Callable[[Any], Any]) -> list[str]:
    """Return what the function says to ``hi``."""
    return [text async for text in reply_texts(function, "hi")]


def text(word: str) -> str:
    return word


def generator(word: str) -> Iterator[str]:
    yield word
    yield "there"


async def coroutine(word: str) -> str:
    return word


async def async_generator(word: str) -> AsyncIterator[str]:
    yield word
    yield "there"


class Callable_:  # noqa: N801 - named beside the others
    async def __call__(self, word: str) -> str:
        return word


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (text, ["hi"]),
        (generator, ["hi", "there"]),
        (coroutine, ["hi"]),
        (async_generator, ["hi", "there"]),
        (Callable_(), ["hi"]),
        (lambda word: coroutine(word), ["hi"]),  # noqa: PLW0108 - a plain function that gives a coroutine
        (lambda word: async_generator(word), ["hi", "there"]),  # noqa: PLW0108 - likewise
        (lambda word: [word, word], ["hi", "hi"]),
        (lambda _: None, []),
    ],
)
async def test_every_kind_of_function_answers(function: Callable[[str], Any], expected: list[str]) -> None:
    """Functions, generators, coroutines, async generators, and what returns one of these."""
    assert await said(function) == expected


@pytest.mark.parametrize("garbage", [1, b"bytes", {"a": 1}, [1], object()])
async def test_what_is_no_text_is_an_agent_error(garbage: object) -> None:
    """The error names the type, not the value."""
    with pytest.raises(AgentError, match="text is needed"):
        await said(lambda _: garbage)


async def test_what_it_raises_is_an_agent_error_without_its_words() -> None:
    """The exception is the cause; its message stays out of ours. An error of ours keeps its code."""

    def fail(_: str) -> str:
        raise ValueError("a secret")

    async def limited(_: str) -> str:
        raise RateLimitExceeded("model")

    with pytest.raises(AgentError, match="ValueError") as caught:
        await said(fail)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(RateLimitExceeded):
        await said(limited)


async def test_a_blocking_function_does_not_block_the_loop() -> None:
    """A plain function runs in a thread, so the loop can release it."""
    release = threading.Event()

    def block(word: str) -> str:
        assert release.wait(5)
        return word

    answer = asyncio.create_task(said(block))
    await asyncio.sleep(0)
    release.set()
    assert await answer == ["hi"]


async def test_a_generator_nobody_listens_to_any_more_is_stopped() -> None:
    """Closing the stream ends the generator at its next word."""
    words, closed = threading.Semaphore(0), threading.Event()

    def endless(word: str) -> Iterator[str]:
        try:
            while True:
                yield word
                words.acquire(timeout=5)
        finally:
            closed.set()

    stream = reply_texts(endless, "hi")
    assert await anext(stream) == "hi"
    await stream.aclose()
    words.release()
    assert await asyncio.to_thread(closed.wait, 5)

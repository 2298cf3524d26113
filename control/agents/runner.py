"""Runs an agent of any kind: function, coroutine function, generator, async generator, or what returns one of these.

Async agents run on the shared event loop, all others in a daemon thread of their own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any

from control.agents.thread import AgentThread, is_plain_iterable
from voicebackend.agents import AgentFunction, Turn
from voicebackend.errors import AgentError


async def texts(function: AgentFunction, turn: Turn) -> AsyncGenerator[str, None]:
    """Yield what the agent says, piece by piece, as it says it, empty ones too; nothing if it returns None.

    Raises:
        AgentError: it raised (then the message is only the exception's class), or gave something that is not text.

    """
    async with aclosing(_guarded(_ask(function, turn))) as pieces:
        async for piece in pieces:
            if not isinstance(piece, str):
                raise AgentError("agent", f"the agent answered with {type(piece).__name__}, not with text")
            yield piece


async def _guarded(pieces: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Let nothing through that the agent raises, exits and cancellations of its own included."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise AgentError("agent", type(error).__name__) from error
    except (
        GeneratorExit,
        AgentError,
    ):  # the second: an agent of the embedding process raised, and was dealt with there
        raise
    except BaseException as error:  # SystemExit would end the shared loop
        raise AgentError("agent", type(error).__name__) from error


async def _ask(function: AgentFunction, turn: Turn) -> AsyncGenerator[Any, None]:
    if _is_async(function) or _is_async(type(function).__call__):
        reply: Any = function(turn)
    else:
        thread = AgentThread(lambda: function(turn))
        async with aclosing(thread.pieces()) as pieces:
            async for piece in pieces:
                yield piece
        reply = thread.reply
    async with aclosing(_unfold(reply)) as pieces:
        async for piece in pieces:
            yield piece


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


async def _unfold(reply: Any) -> AsyncGenerator[Any, None]:
    """Yield the pieces of what an agent returned."""
    while inspect.isawaitable(reply):
        reply = await reply
    if is_plain_iterable(reply):
        async with aclosing(AgentThread(lambda: reply).pieces()) as pieces:
            async for piece in pieces:
                yield piece
    elif isinstance(reply, AsyncIterable):
        iterator = aiter(reply)
        try:
            async for piece in iterator:
                yield piece
        finally:
            await _close(iterator)
    elif reply is not None:
        yield reply


async def _close(iterator: AsyncIterator[Any]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()

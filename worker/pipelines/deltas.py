"""An agent's text as it comes, with a filler where the first of it is long in coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Slow:
    """The agent is silent for too long: say this."""

    text: str


async def patiently(
    deltas: AsyncIterator[str], after_s: float | None, filler: str, committed: asyncio.Event
) -> AsyncGenerator[str | Slow, None]:
    """Yield the deltas; once, before the first, the filler if that takes ``after_s`` from when ``committed`` is set."""
    async with aclosing(deltas) as texts:  # type: ignore[type-var]
        if after_s is not None:
            first = asyncio.create_task(_next(texts), name="first-delta")
            try:
                if not await _comes(first, committed, after_s):
                    yield Slow(filler)
                text = await first
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            if text is None:
                return
            yield text
        async for text in texts:
            yield text


async def _next(texts: AsyncIterator[str]) -> str | None:
    return await anext(texts, None)


async def _comes(first: asyncio.Task[str | None], committed: asyncio.Event, seconds: float) -> bool:
    """Tell whether there is text before so many seconds after the commit."""
    heard = asyncio.create_task(committed.wait(), name="committed")
    try:
        both: set[asyncio.Future[Any]] = {first, heard}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({first}, timeout=seconds)
    finally:
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)
    return first.done()

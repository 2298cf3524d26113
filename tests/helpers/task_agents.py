"""Agents for tests that start a real Celery worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from voicebackend.agents import Turn, agent


@agent("counts")
def counts(turn: Turn) -> Iterator[str]:
    """Answer word by word."""
    for word in f"you said {turn.transcript}".split():
        yield f"{word} "


@agent("async")
async def asynchronous(turn: Turn) -> AsyncIterator[str]:
    """Answer from the event loop."""
    yield "you said "
    await asyncio.sleep(0.01)
    yield turn.transcript


@agent("slow")
def slow(turn: Turn) -> str:
    """Think for a moment, in a thread."""
    time.sleep(1)
    return f"thought about {turn.transcript}"


@agent("hangs")
def hangs(turn: Turn) -> str:
    """Never answer."""
    time.sleep(3600)
    return turn.transcript


@agent("raises")
def raises(turn: Turn) -> str:
    """Fail, and blurt out what was said."""
    raise ValueError(turn.transcript)

"""Agents for tests that start a real Celery worker."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

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


class DeadlyHook:
    """A retention hook that takes its process along, and notes each time that it did."""

    def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        """End the process."""
        with Path(os.environ["VOICEBACKEND_TEST_DEATHS"]).open("a", encoding="utf-8") as file:
            file.write(f"{metadata['session_id']} {data_class}\n")
        os._exit(1)

    def retention_period(self, data_class: str) -> timedelta:
        """Never get here."""
        raise AssertionError(data_class)


deadly_hook = DeadlyHook()

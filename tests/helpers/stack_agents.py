"""Agents that the stack's Celery worker finds: good ones, and every way to go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from voicebackend.agents import Turn, agent


@agent("echo")
def echo(turn: Turn) -> Iterator[str]:
    """Repeat what was said, and how often something was said before."""
    yield f"{turn.transcript} {len(turn.history)}."


@agent("raises")
def raises(turn: Turn) -> str:
    """Fail with words that must not get out."""
    raise ValueError(f"secret of {turn.user_id}")


@agent("hangs")
def hangs(turn: Turn) -> str:
    """Never answer."""
    del turn
    threading.Event().wait(60)
    return ""


@agent("silent")
def silent(turn: Turn) -> None:
    """Say nothing."""
    del turn


@agent("number")
def number(turn: Turn) -> object:
    """Answer with something that is no text."""
    return turn.number

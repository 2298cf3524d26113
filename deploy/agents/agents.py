"""Your agents: replace this one."""

from __future__ import annotations

from collections.abc import Iterator

from voicebackend.agents import Turn, agent


@agent("demo")
def demo(turn: Turn) -> Iterator[str]:
    """Say back what was said."""
    yield "You said: "
    yield turn.transcript + "."

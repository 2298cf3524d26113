"""The agent of doubles, for processes of their own: needs ``tests/doubles`` among their paths."""

from __future__ import annotations

from listening import answer_to

from voicebackend.agents import Turn, agent


@agent("teller")
def teller(turn: Turn) -> str:
    """Tell a story to who asks for one; repeat what else was said."""
    return answer_to(turn.transcript)

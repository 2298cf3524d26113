"""Agents for telephone calls."""

from __future__ import annotations

from voicebackend.agents import Turn, agent
from voicebackend.errors import AgentError

DESK = "+14155550199"
"""Where a person sits."""


@agent("parrot")
def parrot(turn: Turn) -> str:
    """Repeat what was said."""
    return turn.transcript


@agent("clerk")
def clerk(turn: Turn) -> str:
    """Answer questions to a bank."""
    if "balance" in turn.transcript.lower():
        return "Your account is in good order, and your new card is on its way."
    return "Please hold the line while I look for a colleague of mine."


@agent("desk")
def desk(turn: Turn) -> str:
    """Hand over who wants a person; nobody else, and nobody to Tonga."""
    to = {"person": DESK, "tonga": "+6768765432"}.get(turn.transcript)
    if to is None:
        return turn.transcript
    try:
        turn.transfer(to, sorry="nobody there")
    except AgentError:
        return "not allowed"
    return "one moment"

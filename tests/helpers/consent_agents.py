"""Agents that ask whether a call may be recorded."""

from __future__ import annotations

from voicebackend.agents import Turn, agent
from voicebackend.errors import AgentError


@agent("asker")
def asker(turn: Turn) -> str:
    """Take a yes or a no for what is said; repeat all else."""
    said = turn.transcript.strip().lower()
    if said not in {"yes", "no"}:
        return turn.transcript
    try:
        turn.consent("audio", "transcript", given=said == "yes", text_version="2026-11")
    except AgentError:
        return "not possible"
    return "thank you"

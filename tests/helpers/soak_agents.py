"""Agents of a soak: what they say, throw and note down has canaries in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from voicebackend.agents import Turn, agent

ANSWER = "lorikeetvex"
"""What every caller hears."""
FAILS, PLANTS = "fail", "plant"
"""Said by a caller who wants the agent to fail, or to do what no agent should."""
PLANTED = "planted-zanzibarquill"

logger = logging.getLogger(__name__)


@agent("soak")
def soak(turn: Turn) -> Iterator[str]:
    """Say again what was said."""
    if turn.transcript.startswith(FAILS):
        raise ValueError(f"secret of {turn.user_id}: {turn.transcript} {turn.metadata}")
    if turn.transcript.startswith(PLANTS):
        logger.warning("an application logs %s", PLANTED)
    yield f"{ANSWER}, {turn.transcript}. "
    yield f"You said {len(turn.history)} things, {ANSWER}."

"""Agents that ask for keys. They answer in words that tell whether the keys were right, and never which."""

from __future__ import annotations

import os
from hashlib import sha256

from voicebackend.agents import Turn, agent
from voicebackend.errors import AgentError

CARD = "VOICEBACKEND_TEST_CARD"
"""Names the SHA-256 of the right number."""


@agent("cashier", speculative=False)
def cashier(turn: Turn) -> str:
    """Ask for a card number, and know it."""
    if "pay" in turn.transcript:
        turn.collect_digits(max_digits=19, until="#", next_timeout=20, first_timeout=30, sensitive=True)
        return "your card please"
    if turn.digits is None:
        return "how can i help"
    right = sha256(turn.digits.reveal().encode()).hexdigest() == os.environ[CARD]
    try:
        turn.digits.reveal()
    except AgentError:
        return f"{turn.transcript} {'right' if right else 'wrong'} {turn.digits.ended}"
    return "revealed twice"


@agent("doorman", speculative=False)
async def doorman(turn: Turn) -> str:
    """Ask for a number that is no secret."""
    if "in" in turn.transcript:
        turn.collect_digits(max_digits=3, first_timeout=30, next_timeout=20)
        return "your number please"
    return "none" if turn.digits is None else f"{turn.digits.reveal()} {turn.digits.ended}"

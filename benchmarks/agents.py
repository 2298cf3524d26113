"""The agents that the benchmark's Celery worker runs: a script and a clock."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

from voicebackend.agents import Turn, agent

FIRST_S, TOKEN_S = 0.1, 0.01
TOKENS = re.findall(
    r" ?\S+",
    "Your parcel will arrive here at home tomorrow evening anyway. "
    "The driver calls you ten minutes ahead of the delivery.",
)
"""Two sentences of ten tokens, without a comma or conjunction: nothing can be spoken before a sentence ends."""
FIRST_SENTENCE_S = TOKEN_S * next(at for at, token in enumerate(TOKENS) if token.endswith("."))
"""Seconds from the first token to the one that ends the first sentence."""


@agent("benchmark-tokens")
async def tokens(turn: Turn) -> AsyncIterator[str]:
    """Answer token by token, as a language model does."""
    del turn
    started = time.monotonic()
    for at, token in enumerate(TOKENS):
        await asyncio.sleep(max(0.0, started + FIRST_S + at * TOKEN_S - time.monotonic()))
        yield token


@agent("benchmark-sentence")
async def sentence(turn: Turn) -> AsyncIterator[str]:
    """Answer with one whole sentence."""
    del turn
    await asyncio.sleep(FIRST_S)
    yield "Your parcel is on its way and arrives here tomorrow."


@agent("benchmark-instant")
async def instant(turn: Turn) -> str:
    """Answer without thinking: what a turn takes is the way to the agent and back."""
    del turn
    return "Your parcel is on its way and arrives here tomorrow."

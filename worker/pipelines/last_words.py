"""The last of a turn from its recogniser, in bounded time."""

from __future__ import annotations

import asyncio

from voicebackend.errors import OperationTimeout
from voicebackend.interfaces import Recognition, SttStream

FINISH_S = 10.0
"""Seconds that a recogniser has for it."""


async def last_words(stt: SttStream) -> Recognition:
    """Return all that was said in the turn.

    Raises:
        OperationTimeout: the recogniser does not finish.

    """
    try:
        async with asyncio.timeout(FINISH_S):
            return await stt.finish()
    except TimeoutError as error:
        raise OperationTimeout("stt", "the recogniser did not finish in time") from error

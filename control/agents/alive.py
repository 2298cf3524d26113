"""A sign of life in Redis while an attempt is answered: it goes out when the process that answers is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from voicebackend._wire import Wire
from voicebackend.agents import ALIVE_S

logger = logging.getLogger(__name__)


@asynccontextmanager
async def alive(state: Wire, key: str, attempt: int) -> AsyncIterator[None]:
    """Keep the sign alight while the context is open."""
    beating = asyncio.create_task(_beat(state, key, attempt), name="agent's sign of life")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(state: Wire, key: str, attempt: int) -> None:
    while True:
        try:
            await state.execute(("SET", key, attempt, "PX", round(ALIVE_S * 1000)))
        except (RedisError, OSError) as error:  # who looks for it waits until Redis answers
            logger.debug("no sign of life", extra={"error": type(error).__name__})
        await asyncio.sleep(ALIVE_S / 3)

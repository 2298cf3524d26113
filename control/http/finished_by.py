"""Work that somebody waits for until a moment, and that goes on by itself after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from voicebackend._background import Background
from voicebackend.errors import VoiceBackendError

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def finished_by(
    background: Background, until: float, work: Coroutine[Any, Any, T], *, name: str
) -> asyncio.Future[T] | None:
    """Return what came of this work; None where it is not done by ``until``, in the loop's time.

    It is the background's: what is not done then goes on there, also where who waits is cancelled, and its errors are
    logged. It ends with the background.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    background.start(_into(outcome, work), name=name)
    try:
        await asyncio.wait({outcome}, timeout=max(0.0, until - loop.time()))
        return outcome if outcome.done() else None
    finally:
        outcome.cancel()  # from here on nobody asks for it; what is done stays


async def _into(outcome: asyncio.Future[T], work: Coroutine[Any, Any, T]) -> None:
    try:
        found = await work
    except Exception as error:
        if not outcome.done():
            outcome.set_exception(error)
        elif isinstance(error, VoiceBackendError):
            logger.warning("late work failed", extra={"error_code": str(error.code)})
        else:
            raise
    else:
        if not outcome.done():
            outcome.set_result(found)
    finally:
        outcome.cancel()  # where the background has ended, so that nobody waits

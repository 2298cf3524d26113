"""Reading what a model tells, until it is silent for too long or is found to be broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from providers.failover.hold_tone import HoldTone
from providers.failover.waiting import Waiting
from voicebackend.errors import ConnectionTimeout, VoiceBackendError
from voicebackend.interfaces import S2sEvent


class Reading:
    """One live model's events."""

    def __init__(self, events: AsyncIterator[S2sEvent], waiting: Waiting, hold_tone: HoldTone) -> None:
        self._events, self._waiting, self._hold_tone = events, waiting, hold_tone
        self._loop = asyncio.get_running_loop()
        self._changed: asyncio.Future[None] = self._loop.create_future()
        self._failure: VoiceBackendError | None = None

    def look(self) -> None:
        """Look again at what is expected, and by when."""
        if not self._changed.done():
            self._changed.set_result(None)

    def fail(self, error: VoiceBackendError) -> None:
        """End with this error: something could not be sent."""
        self._failure = self._failure or error
        self.look()

    async def events(self) -> AsyncGenerator[S2sEvent | None, None]:
        """Yield them to their end, and None whenever the hold tone is due: whoever reads sounds it.

        Raises:
            ConnectionTimeout: what is expected did not come in time.
            VoiceBackendError: the model failed.

        """
        getting = self._get()
        try:
            while True:
                await self._wait(getting)
                if getting.done():
                    event = getting.result()
                    if event is None:
                        return
                    getting = self._get()
                    yield event
                elif self._failure is not None:
                    raise self._failure
                elif self._is_past(self._waiting.due):
                    raise ConnectionTimeout("s2s", "the model left the caller without an answer")
                elif self._is_past(self._hold_tone.due):
                    yield None
        finally:
            getting.cancel()
            await asyncio.gather(getting, return_exceptions=True)

    def _is_past(self, due: float | None) -> bool:
        return due is not None and self._loop.time() >= due

    def _get(self) -> asyncio.Task[S2sEvent | None]:
        return asyncio.create_task(_next(self._events), name="s2s-event")

    async def _wait(self, getting: asyncio.Task[S2sEvent | None]) -> None:
        """Return when there is something to look at."""
        moments = [due for due in (self._waiting.due, self._hold_tone.due) if due is not None]
        timeout = max(0.0, min(moments) - self._loop.time()) if moments else None
        either: set[asyncio.Future[Any]] = {getting, self._changed}
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._changed.done():
            self._changed = self._loop.create_future()


async def _next(events: AsyncIterator[S2sEvent]) -> S2sEvent | None:
    return await anext(events, None)

"""What keeps a quiet connection open: the vendor hangs up on who sends nothing for minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from voicebackend.errors import ConnectionFailed

QUIET_S = 45.0
"""Seconds without audio after which some silence is sent; the vendor waits for two minutes or more."""


class Keepalive:
    """Sends something whenever nothing was sent for a while; one task, which ``stop`` ends."""

    def __init__(self, send: Callable[[], Awaitable[None]], *, name: str) -> None:
        self._send = send
        self._now = asyncio.get_running_loop().time
        self._sent = self._now()
        self._task = asyncio.create_task(self._run(), name=name)

    def sent(self) -> None:
        """Hear that something was sent."""
        self._sent = self._now()

    def stop(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    async def _run(self) -> None:
        with suppress(ConnectionFailed):  # who reads the connection tells of it
            while True:
                await asyncio.sleep(self._sent + QUIET_S - self._now())
                if self._now() - self._sent >= QUIET_S:
                    await self._send()
                    self.sent()

"""What wakes one task that waits, many times a second."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung by anyone, waited for by one task; costs a third of an ``asyncio.Event``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = False
        self._waiting: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Bell [{'rung' if self._rung else 'silent'}]>"

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        self._rung = True
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def wait(self) -> None:
        """Return once it has rung since the last ``wait`` returned: at once if it has."""
        if not self._rung:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._rung = False

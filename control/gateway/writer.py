"""The writing side of a caller's socket: who does not read is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from control.gateway.caller_socket import CallerSocket
from control.gateway.handshake import CallerGone

SEND_S = 5.0
"""Seconds for which a caller may not read before it is given up."""


class Writer:
    """Writes to one socket, and within a ``with`` calls ``too_slow`` once, if that does not read for ``SEND_S``.

    A timer for each message would cost as much as the message: one alone looks when the message that is under way
    began, and again when that would have taken too long.
    """

    def __init__(self, ws: CallerSocket, too_slow: Callable[[], None]) -> None:
        self._ws, self._too_slow = ws, too_slow
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._look: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Writer [{'idle' if self._since is None else 'sending'}]>"

    def __enter__(self) -> None:
        self._look = self._loop.call_later(SEND_S, self._look_again)

    def __exit__(self, *_: object) -> None:
        if self._look is not None:
            self._look.cancel()

    async def send(self, item: bytes | str) -> None:
        """Send a message; raises CallerGone if the caller is not there."""
        self._since = self._loop.time()
        try:
            await (self._ws.send_str(item) if isinstance(item, str) else self._ws.send_bytes(item))
        except (ConnectionError, RuntimeError) as error:
            raise CallerGone(None) from error
        self._since = None

    def _look_again(self) -> None:
        now = self._loop.time()
        too_late = (now if self._since is None else self._since) + SEND_S
        if now < too_late:
            self._look = self._loop.call_at(too_late, self._look_again)
        else:
            self._too_slow()

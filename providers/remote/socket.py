"""A websocket to a vendor: messages in order, with deadlines; broken or refused, it raises errors of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from providers.remote.vendor_json import read_json
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidFormat
from voicebackend.statuses import NORMAL, from_close

SEND_S = 5.0
"""Seconds that the far side may leave what we send unread; then it counts as dead."""
CLOSE_S = 2.0
"""Seconds that closing may take."""

if TYPE_CHECKING:
    import aiohttp


class RemoteSocket:
    """One open websocket; one task sends and one receives."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, *, op: str) -> None:
        self._ws, self._op = ws, op
        self._closing = False
        from aiohttp import WSMsgType

        self._data = (WSMsgType.TEXT, WSMsgType.BINARY)
        self._ends = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)

    def __repr__(self) -> str:
        return f"<RemoteSocket {self._op} [{'closed' if self._ws.closed else 'open'}]>"

    @property
    def is_open(self) -> bool:
        """Whether messages may still pass."""
        return not self._ws.closed

    async def send(self, message: str | bytes | Mapping[str, Any]) -> None:
        """Send text, bytes, or an object as JSON.

        Raises:
            ConnectionFailed: the connection is closed, or the far side no longer reads.

        """
        try:
            async with asyncio.timeout(SEND_S):
                if isinstance(message, bytes):
                    await self._ws.send_bytes(message)
                else:
                    await self._ws.send_str(message if isinstance(message, str) else json.dumps(message))
        except TimeoutError:
            raise ConnectionFailed(self._op, "the far side no longer reads") from None
        except _broken() as error:
            raise ConnectionFailed(self._op, details={"cause": type(error).__name__}) from None

    async def receive(self, *, timeout_s: float | None = None) -> str | bytes | None:
        """Return the next message, None once either side has ended the call in good order.

        Raises:
            ConnectionTimeout: nothing came in time.
            VoiceBackendError: the connection broke, or was closed with a code that says why.

        """
        try:
            async with asyncio.timeout(timeout_s):
                message = await self._ws.receive()
        except TimeoutError:
            raise ConnectionTimeout(self._op, "nothing came in time") from None
        if message.type in self._data:
            data: str | bytes = message.data
            return data
        code = self._ws.close_code
        if self._closing or (message.type in self._ends and code in NORMAL):
            return None
        raise from_close(code, self._op)

    async def objects(self) -> AsyncIterator[dict[str, Any] | bytes]:
        """Yield JSON objects from text, and bytes as they are, until the call is ended in good order.

        Raises:
            InvalidFormat: a text was no JSON object.
            VoiceBackendError: as ``receive``.

        """
        while (message := await self.receive()) is not None:
            yield message if isinstance(message, bytes) else self.parsed(message)

    def parsed(self, text: str) -> dict[str, Any]:
        """Return a JSON object."""
        try:
            found = read_json(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InvalidFormat(self._op, "a message is no JSON object")
        return found

    async def aclose(self, code: int = 1000) -> None:
        """Close; who waits in ``receive`` gets None."""
        self._closing = True
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ws.close(code=code)
        except TimeoutError:
            pass  # the transport is gone with the task that closes it


def _broken() -> tuple[type[Exception], ...]:
    """Return what sending over a broken connection raises."""
    from aiohttp import ClientError

    return ClientError, OSError, RuntimeError

"""A carrier's socket whose call may be handed over: then its end is no hang-up, for the call may come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

from aiohttp import WSMessage, WSMsgType

from control.gateway.caller_socket import CallerSocket, gathers_s, stands_still
from voicebackend.errors import VoiceBackendError
from voicebackend.events import Hold, Message, Start, Stop, parse_client

LOOK_S = 0.5
"""Seconds between two looks at whether a call comes back."""


class Handover(StrEnum):
    """How far a call is that is being handed over."""

    AWAY = "away"
    """It is with whom it was handed over to, or rings there."""
    BACK = "back"
    """Nobody took it: it has another stream now."""
    NONE = ""
    """It is not handed over, or is not expected back any more."""


Standing = Callable[[], Awaitable[Handover]]


class AwaySocket:
    """Reads as the socket inside, but for the end: while the call is away the session is on hold, and waits for it.

    The stream with which it comes back takes the session over from this one, and off hold.
    """

    def __init__(self, socket: CallerSocket, standing: Standing) -> None:
        self._socket, self._standing = socket, standing
        self._end: WSMessage | None = None
        self._next: WSMessage | None = None
        self._started = False

    def __repr__(self) -> str:
        return f"<AwaySocket [{'away' if self._end else self._socket!r}]>"

    @property
    def stands_still(self) -> bool:
        """Whether what was sent waits while its turn is paused."""
        return stands_still(self._socket)

    @property
    def gathers_s(self) -> float:
        """Seconds of audio that may be kept back."""
        return gathers_s(self._socket)

    @property
    def closed(self) -> bool:
        """Whether the carrier is gone for good."""
        return self._end is None and self._socket.closed

    async def receive(self) -> WSMessage:
        """Return what comes next; ``hold`` in the place of an end, which follows when nobody comes back."""
        if self._next is not None:
            message, self._next = self._next, None
            return message
        if self._end is not None:
            while await self._now() is not Handover.NONE:  # noqa: ASYNC110 - another process may set it
                await asyncio.sleep(LOOK_S)
            return self._end
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return message
        said = parse_client(message.data) if message.type is WSMsgType.TEXT else None
        if isinstance(said, Start) and not self._started:
            self._started = True
            if await self._now() is not Handover.NONE:
                self._next = _message(Hold(on=False))
        ends = said is None or isinstance(said, Stop)
        if ends and self._started and await self._now() is Handover.AWAY:
            self._end = message
            return _message(Hold(on=True))
        return message

    async def send_str(self, data: str) -> None:
        """Send, if there is somebody."""
        if self._end is None:
            await self._socket.send_str(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send, if there is somebody."""
        if self._end is None:
            await self._socket.send_bytes(data)

    async def close(self, *, code: int = 1000) -> Any:
        """Close the socket inside."""
        return await self._socket.close(code=code)

    async def _now(self) -> Handover:
        """Return how far the call is; where nobody can tell, as if nothing had happened: it is here, or still away."""
        try:
            return await self._standing()
        except VoiceBackendError:
            return Handover.NONE if self._end is None else Handover.AWAY


def _message(message: Message) -> WSMessage:
    return WSMessage(WSMsgType.TEXT, message.to_json(), None)

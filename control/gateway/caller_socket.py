"""What the gateway needs of a caller's socket: a websocket of our protocol, or one that stands for another's."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import WSMessage


class CallerSocket(Protocol):
    """As aiohttp's ``WebSocketResponse`` has it; one task receives, one sends."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        ...

    async def receive(self) -> WSMessage:
        """Return the caller's next message, of our protocol."""
        ...

    async def send_str(self, data: str) -> None:
        """Send a message of ``voicebackend.events``."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send agent audio, in the caller's encoding."""
        ...

    async def close(self, *, code: int = 1000) -> Any:
        """Close."""
        ...


def stands_still(ws: CallerSocket) -> bool:
    """Tell whether what was sent waits while its turn is paused: so it does, unless a ``stands_still`` says no."""
    return bool(getattr(ws, "stands_still", True))


def gathers_s(ws: CallerSocket) -> float:
    """Return the seconds of audio that the socket may keep back until a message is full: none, unless it says."""
    return float(getattr(ws, "gathers_s", 0.0))

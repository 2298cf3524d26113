"""How a conversation with a Vocode server begins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from providers.remote.socket import RemoteSocket
from providers.vocode import codec
from providers.vocode.config import VocodeConfig
from voicebackend.errors import ConnectionFailed, ConnectionTimeout

MAX_EARLY = 64
"""Messages that may come before the server says that it is ready."""
_OP = "vocode.talk"


async def begun(socket: RemoteSocket, settings: VocodeConfig) -> Sequence[codec.Told]:
    """Ask for a conversation; return, once the server listens, what it has said before that.

    Raises:
        VoiceBackendError: it does not; the socket is closed then.

    """
    try:
        await socket.send(codec.start(settings.sample_rate))
        async with asyncio.timeout(settings.first_byte_timeout.total_seconds()):
            return await _ready(socket)
    except TimeoutError:
        await socket.aclose()
        raise ConnectionTimeout(_OP, "the server did not get ready in time") from None
    except BaseException:
        await socket.aclose()
        raise


async def _ready(socket: RemoteSocket) -> Sequence[codec.Told]:
    early: list[codec.Told] = []
    while len(early) < MAX_EARLY:
        message = await socket.receive()
        if message is None:
            raise ConnectionFailed(_OP, "the server ended the call before it was ready")
        told = codec.told(socket.parsed(message)) if isinstance(message, str) else None
        if isinstance(told, codec.Ready):
            return early
        if told is not None:
            early.append(told)
    raise ConnectionFailed(_OP, "the server speaks without getting ready")

"""A stream whose closing is cut short hangs up all the same: a socket left open is a call that the vendor bills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from scripted_engines import Loudness

from providers.cartesia.contexts import Connection
from providers.cartesia.stt import CartesiaSttStream
from providers.elevenlabs.stream import AgentStream
from providers.openai.dialogue import Dialogue
from providers.openai.stream import RealtimeStream
from providers.pipecat.config import PipecatConfig
from providers.pipecat.stream import PipecatStream
from providers.vocode.config import VocodeConfig
from providers.vocode.stream import VocodeStream


class Socket:
    """A vendor's end that says nothing."""

    def __init__(self) -> None:
        self.is_open = True

    async def receive(self, *, timeout_s: float | None = None) -> str | None:
        """Wait for ever."""
        del timeout_s
        await asyncio.Event().wait()
        return None

    async def objects(self) -> AsyncIterator[Any]:
        """Yield nothing, for ever."""
        while (found := await self.receive()) is not None:
            yield found

    async def send(self, message: Any) -> None:
        """Take it."""

    async def aclose(self, code: int = 1000) -> None:
        """Hang up."""
        del code
        self.is_open = False


class _Answers:
    due = None


def _openai(socket: Any) -> RealtimeStream:
    return RealtimeStream(cast(Any, None), socket, Dialogue(answers=True, silence_s=0.5), voice={"model": None})


STREAMS: dict[str, Callable[[Any], Any]] = {
    "cartesia-stt": lambda socket: CartesiaSttStream(socket, lambda heard: None, answer_s=1.0),
    "cartesia-tts": Connection,
    "elevenlabs": lambda socket: AgentStream(
        socket, uplink=cast(Any, None), answers=cast(Any, _Answers()), hearing=cast(Any, None)
    ),
    "openai": _openai,
    "pipecat": lambda socket: PipecatStream(socket, PipecatConfig(pipecat_server_url="ws://127.0.0.1:1/"), Loudness()),
    "vocode": lambda socket: VocodeStream(socket, VocodeConfig(), cast(Any, None)),
}


@pytest.mark.parametrize("vendor", sorted(STREAMS))
async def test_closing_that_is_cancelled_hangs_up_all_the_same(vendor: str) -> None:
    """It is cancelled while the stream waits for its reader to end."""
    socket = Socket()
    stream = STREAMS[vendor](socket)
    await asyncio.sleep(0)
    closing = asyncio.create_task(stream.aclose(), name="closing")
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert closing.cancelled()
    assert not socket.is_open

"""Engine ``cartesia`` for speech to text: one websocket a session, on which utterance follows utterance.

It speaks the protocol with manual finalize. In the other one the vendor decides when a turn ends, up to seconds later,
and cannot be asked for what was said so far; here our own endpointing decides, and asks at each pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from providers.cartesia.config import CartesiaSttConfig
from providers.cartesia.keepalive import Keepalive
from providers.cartesia.stt_codec import FINALIZE, Utterances, path
from providers.cartesia.vendor import CartesiaEngine, messages
from providers.remote.socket import RemoteSocket
from voicebackend.audio import AudioFormat
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, VoiceBackendError
from voicebackend.interfaces import Recognition, SpeechToText, SttStream

_SILENCE = AudioFormat().silence(0.02)


class CartesiaStt(CartesiaEngine[CartesiaSttConfig], SpeechToText):
    """The vendor's streaming recogniser."""

    Config = CartesiaSttConfig

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Connect an ear for one session.

        Raises:
            VoiceBackendError: the vendor refuses, or cannot be reached.

        """
        socket = await self.api.connect("stt", path(self.settings))
        return CartesiaSttStream(socket, on_partial, answer_s=self.settings.first_byte_timeout.total_seconds())


class CartesiaSttStream(SttStream):
    """One session's ear. Once its connection is lost, every call raises why."""

    def __init__(self, socket: RemoteSocket, on_partial: Callable[[Recognition], None], *, answer_s: float) -> None:
        self._socket, self._on_partial, self._answer_s = socket, on_partial, answer_s
        self._said = Utterances()
        self._news = asyncio.Event()
        self._failure: VoiceBackendError | None = None
        self._reader = asyncio.create_task(self._read(), name="cartesia-stt")
        self._keepalive = Keepalive(self._send_silence, name="cartesia-stt-keepalive")

    async def push(self, pcm: bytes) -> None:
        """Send more audio of the utterance under way."""
        self._check()
        if pcm:
            self._said.heard()
            self._keepalive.sent()
            await self._socket.send(pcm)

    async def pause(self) -> None:
        """Have the vendor recognise what was said so far; it is reported when it is there."""
        self._check()
        if self._said.pause():
            await self._socket.send(FINALIZE)
        elif self._said.is_known:
            self._on_partial(Recognition(text=self._said.text, final=False, flushed=True))

    async def finish(self) -> Recognition:
        """Return the utterance's text.

        Raises:
            ConnectionTimeout: the vendor did not tell it in ``first_byte_timeout``.

        """
        self._check()
        if self._said.finish():
            await self._socket.send(FINALIZE)
        try:
            async with asyncio.timeout(self._answer_s):
                await self._known()
        except TimeoutError:
            raise ConnectionTimeout("cartesia.stt", "the text did not come in time") from None
        text = self._said.text
        await self._end()
        return Recognition(text=text, final=True)

    async def discard(self) -> None:
        """Forget the utterance under way."""
        self._check()
        await self._end()

    async def aclose(self) -> None:
        """Hang up."""
        self._keepalive.stop()
        self._reader.cancel()
        try:
            await asyncio.gather(self._reader, return_exceptions=True)
        finally:
            await self._socket.aclose()

    async def _end(self) -> None:
        if self._said.end():
            await self._socket.send(FINALIZE)

    async def _known(self) -> None:
        while not self._said.is_known:
            self._news.clear()
            await self._news.wait()
            self._check()

    async def _read(self) -> None:
        failure: VoiceBackendError = ConnectionFailed("cartesia.stt", "the vendor hung up")
        try:
            async for message in messages(self._socket):
                if (recognition := self._said.take(message)) is not None:
                    self._on_partial(recognition)
                self._news.set()
        except VoiceBackendError as error:
            failure = error
        finally:
            self._failure = failure
            self._news.set()

    async def _send_silence(self) -> None:
        await self._socket.send(_SILENCE)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

"""Engine ``cartesia`` for speech to speech: one of the account's managed agents, which hears, thinks and speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from providers.cartesia import s2s_codec
from providers.cartesia.config import CartesiaAgentConfig
from providers.cartesia.keepalive import Keepalive
from providers.cartesia.vendor import CartesiaEngine, messages, told
from providers.remote.socket import RemoteSocket
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, AudioFormat, Resampler
from voicebackend.errors import ConnectionFailed, ConnectionTimeout
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

logger = logging.getLogger(__name__)

_SILENCE = AudioFormat().silence(0.02)


class CartesiaAgent(CartesiaEngine[CartesiaAgentConfig], SpeechToSpeech):
    """It answers by itself, and greets; it speaks no text of ours, and takes none."""

    Config = CartesiaAgentConfig
    can_say = False

    def __init__(self, config: CartesiaAgentConfig) -> None:
        super().__init__(config)
        self.sample_rate = config.sample_rate
        self.remembers = config.history_variable is not None

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Call the agent.

        Raises:
            VoiceBackendError: the vendor refuses, or cannot be reached.

        """
        del metadata, answers
        socket = await self.api.connect("agent", s2s_codec.path(self.settings))
        try:
            await socket.send(s2s_codec.session_create(self.settings, history))
            await _ready(socket, self.settings.first_byte_timeout.total_seconds())
        except BaseException:
            await socket.aclose()
            raise
        return CartesiaAgentStream(socket, self.sample_rate, greets=not history)


class CartesiaAgentStream(S2sStream):
    """One call of an agent's."""

    def __init__(self, socket: RemoteSocket, sample_rate: int, *, greets: bool) -> None:
        self._socket = socket
        self._resampler = Resampler(PIPELINE_RATE, sample_rate)
        self._turns = s2s_codec.AgentTurns(greets=greets)
        self._keepalive = Keepalive(self._send_silence, name="cartesia-agent-keepalive")

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz."""
        found = self._resampler.process(pcm)
        if found:
            self._keepalive.sent()
            await self._socket.send(s2s_codec.audio_input(found))

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what the agent says and notices until it hangs up.

        Raises:
            VoiceBackendError: the connection broke, or the agent failed.

        """
        async for message in messages(self._socket):
            await self._answer(message)
            for event in self._turns.take(message):
                yield event

    async def interrupt(self, played_ms: float) -> None:
        """Drop what still comes of what the caller spoke over: the agent notices by itself what was heard of it."""
        del played_ms
        self._turns.cut()

    async def dtmf(self, digit: str) -> None:
        """Tell the agent of a key."""
        await self._socket.send(s2s_codec.dtmf_input(digit))

    async def aclose(self) -> None:
        """Hang up."""
        self._keepalive.stop()
        await self._socket.aclose()

    async def _answer(self, message: dict[str, Any]) -> None:
        """Do at once what a message asks for beside the conversation."""
        match message.get("type"):
            case "error":
                _report(message)
            case "client_tool_call":
                logger.warning("the agent calls a tool of the client's, and there are none")
                if (refusal := s2s_codec.tool_refusal(message)) is not None:
                    await self._socket.send(refusal)
            case _:
                pass

    async def _send_silence(self) -> None:
        await self.push(_SILENCE)


async def _ready(socket: RemoteSocket, seconds: float) -> None:
    """Wait until the agent listens: what is said before is lost."""
    try:
        async with asyncio.timeout(seconds):
            async for message in messages(socket):
                if message.get("type") == "session_ready":
                    return
                if message.get("type") == "error":
                    raise told(message, "agent")
    except TimeoutError:
        raise ConnectionTimeout("cartesia.agent", "the agent was not ready in time") from None
    raise ConnectionFailed("cartesia.agent", "the agent hung up before it was ready")


def _report(message: dict[str, Any]) -> None:
    """Raise an error that ends the call; note one that does not."""
    error = told(message, "agent")
    if message.get("fatal") is not False:
        raise error
    logger.warning("the agent did not accept a message", extra=error.details)

"""Engine ``elevenlabs``: an agent of ElevenLabs', which hears, thinks and speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from providers.elevenlabs import codec
from providers.elevenlabs.answers import Answers
from providers.elevenlabs.codec import Failed, Opened
from providers.elevenlabs.config import ElevenLabsAgentConfig
from providers.elevenlabs.formats import Downlink, Uplink
from providers.elevenlabs.stream import AgentStream
from providers.elevenlabs.vendor import NAME, ElevenLabsEngine
from providers.engines.vad.hearing import Hearing
from providers.registry import VAD
from providers.remote.api import RemoteApi
from providers.remote.socket import RemoteSocket
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidConfig
from voicebackend.interfaces import S2sStream, SpeechToSpeech

_PATH = "/v1/convai/conversation"


class ElevenLabsAgent(ElevenLabsEngine, SpeechToSpeech):
    """It speaks for itself: texts of ours it does not say, and a client's tools it is refused."""

    Config = ElevenLabsAgentConfig
    can_say = False
    takes_text = True
    remembers = True

    def __init__(self, config: ElevenLabsAgentConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.needs_key = not config.public
        self.sample_rate = config.sample_rate
        self._vad = VAD.create(config.vad)
        self._open_api = RemoteApi(NAME, config, url="")  # a signed URL needs no key, and gets none wherever it leads

    async def open(self) -> None:
        """Make ready; connects to nobody.

        Raises:
            InvalidConfig: there is no key, and the agent is not public.

        """
        await super().open()
        await self._open_api.open()
        await self._vad.open()

    async def aclose(self) -> None:
        """Close every connection."""
        await super().aclose()
        await self._open_api.aclose()
        await self._vad.aclose()

    async def check(self) -> None:
        """Ask for leave to talk with the agent, and do not; nothing is asked about one that is public."""
        if not self.settings.public:
            await self._signed_url()

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation, to go on from ``history``.

        Raises:
            InvalidConfig: the agent is to speak for one of ours, or has an audio format that nobody here speaks.
            VoiceBackendError: it cannot be reached, or refuses.

        """
        if not answers:
            raise InvalidConfig(NAME, "the agent speaks for itself: leave our agent out", details={"field": "agent"})
        config = self.settings
        if config.public:
            socket = await self.api.connect("talk", _PATH, params={"agent_id": config.agent_id})
        else:
            socket = await self._open_api.connect("talk", await self._signed_url())
        try:
            opened = await self._begun(socket, metadata)
            if history:
                await socket.send(codec.remember(history))
        except BaseException:
            await socket.aclose()
            raise
        downlink = Downlink(opened.speaks, config.sample_rate)
        return AgentStream(
            socket,
            uplink=Uplink(opened.hears),
            answers=Answers(downlink, config.sample_rate, greets=not history),
            hearing=Hearing(self._vad),
        )

    async def _signed_url(self) -> str:
        """Return where this account's agent is reached, once; it is as good as a key."""
        params = {"agent_id": self.settings.agent_id}
        found = await self.api.json("signed_url", "GET", f"{_PATH}/get-signed-url", params=params)
        return codec.signed_url(found, self.settings.api_url)

    async def _begun(self, socket: RemoteSocket, metadata: Mapping[str, Any]) -> Opened:
        """Tell the agent how it is to be, and return what it says about the conversation's audio."""
        await socket.send(codec.begin(self.settings, metadata))
        try:
            async with asyncio.timeout(self.settings.first_byte_timeout.total_seconds()):
                async for message in socket.objects():
                    found = None if isinstance(message, bytes) else codec.read(message)
                    if isinstance(found, Opened):
                        return found
                    if isinstance(found, Failed):
                        raise found.error
        except TimeoutError:
            raise ConnectionTimeout(f"{NAME}.talk", "the conversation did not begin in time") from None
        raise ConnectionFailed(f"{NAME}.talk", "the agent hung up before the conversation had begun")

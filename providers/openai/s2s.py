"""Engine ``openai``: a conversation over the Realtime API, GA protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.openai import codec
from providers.openai.config import OpenAiS2sConfig
from providers.openai.dialogue import Dialogue
from providers.openai.engine import OpenAiEngine
from providers.openai.stream import RealtimeStream
from providers.remote.socket import RemoteSocket
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed, InvalidConfig
from voicebackend.interfaces import S2sStream, SpeechToSpeech

_SETUP = "setup"
"""The id of the message that sets a session up."""


class OpenAiS2s(OpenAiEngine, SpeechToSpeech):
    """The vendor hears, notices turns and answers; texts of ours are spoken by its voice for texts, word for word."""

    Config = OpenAiS2sConfig
    sample_rate = codec.REALTIME_RATE
    takes_text = True
    remembers = True

    def __init__(self, config: OpenAiS2sConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.can_say = config.speech_model is not None

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation, set up as the settings and the metadata say.

        Raises:
            InvalidConfig: the vendor does not take a setting; or an agent is to answer, and there is no
                ``transcription_model`` to tell it what the caller says.

        """
        if not answers and self.settings.transcription_model is None:
            message = "transcription_model: without it an agent cannot learn what the caller says"
            raise InvalidConfig("openai.talk", message, details={"field": "transcription_model"})
        update = codec.session_update(self.settings, metadata, answers=answers, event_id=_SETUP)
        socket = await self.api.connect("talk", "/realtime", params={"model": self.settings.model})
        try:
            silence_s = await self._set_up(socket, update)
            for entry in codec.remembered(history):
                await socket.send(entry)
        except BaseException:
            await socket.aclose()
            raise
        voice = {"model": self.settings.speech_model, "voice": update["session"]["audio"]["output"].get("voice")}
        return RealtimeStream(self.api, socket, Dialogue(answers=answers, silence_s=silence_s), voice=voice)

    async def _set_up(self, socket: RemoteSocket, update: codec.Message) -> float:
        """Return after how much silence, in seconds, the vendor says that the caller has fallen silent."""
        timeout_s = self.settings.first_byte_timeout.total_seconds()
        await socket.send(update)
        while True:
            message = await socket.receive(timeout_s=timeout_s)
            if message is None:
                raise ConnectionFailed("openai.talk", "the vendor ended the session before it began")
            event = {} if isinstance(message, bytes) else socket.parsed(message)
            if event.get("type") == "session.updated":
                return codec.silence_s(event)
            if event.get("type") == "error":
                raise codec.refused(event)

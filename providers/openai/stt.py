"""Engine ``openai``: an utterance at a time by ``POST /audio/transcriptions``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from providers.engines.stt.utterance import UtteranceStream
from providers.openai import transcription
from providers.openai.config import OpenAiSttConfig
from providers.openai.engine import OpenAiEngine
from providers.remote.api import RemoteApi
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, level_dbfs
from voicebackend.interfaces import Recognition, SpeechToText, SttStream

_SHORTEST_BYTES = PIPELINE_RATE * SAMPLE_BYTES // 10
"""The vendor refuses less than 100 ms; there is no word in it."""
_SILENT_DBFS = -65.0
"""Below this nothing was said: recognisers of this kind hear words in silence."""


class OpenAiStt(OpenAiEngine, SpeechToText):
    """Asks at every pause for all that was said, or for the last 15 s of a longer utterance."""

    Config = OpenAiSttConfig

    def __init__(self, config: OpenAiSttConfig) -> None:
        super().__init__(config)
        self.settings = config

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session; nothing is sent before the first pause."""
        return _Ear(self.api, self.settings, on_partial)


class _Ear(UtteranceStream):
    def __init__(self, api: RemoteApi, settings: OpenAiSttConfig, on_partial: Callable[[Recognition], None]) -> None:
        super().__init__(self._start, on_partial, busy=lambda: True)  # guesses between pauses would be billed
        self._api, self._settings = api, settings
        self._jobs: set[asyncio.Task[str]] = set()

    async def aclose(self) -> None:
        """End the stream; requests under way are aborted."""
        await super().aclose()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    def _start(self, pcm: bytes) -> asyncio.Task[str]:
        job = asyncio.create_task(self._transcribe(pcm), name="openai-transcribe")
        self._jobs.add(job)
        job.add_done_callback(self._ended)
        return job

    def _ended(self, job: asyncio.Task[str]) -> None:
        self._jobs.discard(job)
        if not job.cancelled():
            job.exception()  # ``finish`` tells, if the result is still wanted

    async def _transcribe(self, pcm: bytes) -> str:
        if len(pcm) < _SHORTEST_BYTES or level_dbfs(pcm) < _SILENT_DBFS:
            return ""
        file, reader = transcription.wav(pcm), transcription.TranscriptReader()

        def form() -> aiohttp.FormData:
            found = aiohttp.FormData(transcription.fields(self._settings))
            found.add_field("file", file, filename="speech.wav", content_type="audio/wav")
            return found

        job = asyncio.current_task()
        async with self._api.stream("transcribe", "POST", "/audio/transcriptions", data=form) as pieces:
            async for piece in pieces:
                text = reader.feed(piece)
                if text is not None and job is not None:
                    self.grew(job, text.strip())
        return reader.result().strip()

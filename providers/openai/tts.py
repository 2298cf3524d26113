"""Engine ``openai``: a text at a time by ``POST /audio/speech``, its audio as it is made."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from providers.openai.config import OpenAiTtsConfig
from providers.openai.engine import OpenAiEngine
from providers.remote.api import RemoteApi
from voicebackend.audio import whole_samples
from voicebackend.interfaces import TextToSpeech, WordTime

_LONGEST = 4_000
"""Characters; the vendor takes 4,096 at a time."""


class OpenAiTts(OpenAiEngine, TextToSpeech):
    """Closing the iterator aborts the request."""

    Config = OpenAiTtsConfig

    def __init__(self, config: OpenAiTtsConfig) -> None:
        super().__init__(config)
        self.settings, self.sample_rate = config, config.sample_rate

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the text's audio as it comes; nothing for blank text."""
        async with aclosing(speech(self.api, text, _settings(self.settings))) as pieces:
            async for pcm in pieces:
                yield pcm


async def speech(api: RemoteApi, text: str, settings: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    """Yield the PCM of a text, whole samples; ``settings`` are those of the request: model, voice and the like."""
    for part in [text] if len(text) <= _LONGEST else textwrap.wrap(text, _LONGEST):
        if not part.strip():
            return
        body = {**settings, "input": part, "response_format": "pcm"}
        async with api.stream("speak", "POST", "/audio/speech", body=body, binary=True) as pieces:
            odd = b""
            async for piece in pieces:
                pcm, odd = whole_samples(odd + piece)
                if pcm:
                    yield pcm


def _settings(settings: OpenAiTtsConfig) -> dict[str, Any]:
    told: dict[str, Any] = {"model": settings.model, "voice": settings.voice}
    if settings.instructions is not None:
        told["instructions"] = settings.instructions
    if settings.speed is not None:
        told["speed"] = settings.speed
    return told

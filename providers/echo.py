"""Provider ``echo``: the caller hears itself at once. For trying a line, and for measuring the way there and back."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from voicebackend.audio import PIPELINE_RATE, Resampler
from voicebackend.config import PipelineType
from voicebackend.events import State
from voicebackend.interfaces import Capabilities, Pipeline, TransportLink, VoiceProvider
from voicebackend.session import PipelineState, Transport

_TURN = 1
"""One that never ends."""


class EchoPipeline(Pipeline):
    """Sends each frame back as it comes: nothing is heard, decided or paced."""

    def __init__(self, link: TransportLink) -> None:
        self._link = link
        self._resampler = Resampler(PIPELINE_RATE, link.sample_rate)

    async def open(self) -> None:
        """Nothing to open."""

    async def wait(self) -> str:
        """Never return: only the caller or the application ends this."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody ends this future")

    def greet(self) -> None:
        """Say that it listens, and speak at the rate of whoever connected."""
        self._resampler.retarget(self._link.sample_rate)
        self._link.event(State(state=PipelineState.LISTENING))

    def push(self, pcm: bytes) -> None:
        """Send it back."""
        audio = self._resampler.process(pcm)
        if audio:
            self._link.play(_TURN, audio)

    async def aclose(self) -> None:
        """Nothing to close."""


class EchoProvider(VoiceProvider):
    """A conversation with oneself; needs no engine, model, key or agent."""

    name = "echo"
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset({PipelineType.STT_TTS, PipelineType.S2S}),
        own_pipeline=True,
        uses_agent=False,
    )

    def pipeline(self, link: TransportLink) -> Pipeline:
        """Return an echo."""
        return EchoPipeline(link)

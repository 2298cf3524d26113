"""ElevenLabs' engines, reaching a double of the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from elevenlabs_double import AGENT, VOICE_ID, ElevenLabsDouble
from listening import voice

from providers.conformance.double import KEY, Double
from providers.registry import S2S, TTS
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.interfaces import S2sStream, SpeechToSpeech, TextToSpeech

HELLO = voice("hello", PIPELINE_RATE) + bytes(PIPELINE_RATE)


async def speak(stream: S2sStream, pcm: bytes = HELLO) -> None:
    """Say something in frames, and fall silent for half a second."""
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)


def voice_of(double: Double, **settings: Any) -> TextToSpeech:
    """Return the voice of a double."""
    given = {"api_url": double.url, "api_key": KEY, "model_id": "a_model", "voice_id": VOICE_ID, **settings}
    return TTS.create("elevenlabs", given)


def agent_of(double: Double, **settings: Any) -> SpeechToSpeech:
    """Return the agent of a double."""
    return S2S.create("elevenlabs", {"api_url": double.url, "api_key": KEY, "agent_id": AGENT, **settings})


@asynccontextmanager
async def opened(double: Double, **settings: Any) -> AsyncIterator[SpeechToSpeech]:
    """Give an agent, open."""
    engine = agent_of(double, **settings)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def running() -> AsyncIterator[ElevenLabsDouble]:
    """Give the double, running; nothing may have been sent to it that the vendor does not know."""
    async with ElevenLabsDouble() as double:
        yield double
        assert not double.garbled

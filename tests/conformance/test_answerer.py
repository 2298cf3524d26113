"""Who answered a call is heard by the real ear: rendered and recorded voices as a telephone line carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from voices import recordings

from voicebackend import virtual_time
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, resample
from voicebackend.codecs import Encoding, open_codec
from voicebackend.conversation import Endpointing
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import Engines, SpeechToText, TextToSpeech
from worker.pipelines.ear import Ear
from worker.pipelines.hearing import Heard, Utterance
from worker.pipelines.meter import Meter
from worker.pipelines.screened import ScreenedListener
from worker.processors import Processors

LINE_RATE, FRAME_S, AFTER_S = 8000, 0.02, 3.0
SOON_S = 4.5
"""Seconds from a machine's first sound within which it is to be known."""
MACHINES = (
    "Hello, you have reached Robert Miller. I can't come to the phone now. Please leave a message after the tone.",
    "The person you are trying to reach is not available. At the tone, please record your message.",
    "Hi, this is Anna. Leave me a message.",
)
PEOPLE = ("Hello?", "Yes, hello. Who is this?", "Miller speaking.")


class Conversation:
    """What a conversation hears of it, which is nothing to us."""

    def hears(self, heard: Heard) -> None:
        """Go on."""

    def partial(self, text: str) -> None:
        """Go on."""

    def may_be_over(self, text: str) -> None:
        """Go on."""

    def caught_up(self) -> None:
        """Go on."""

    async def said(self, utterance: Utterance) -> None:
        """Go on."""

    def said_nothing(self) -> None:
        """Go on."""

    def failed(self, error: VoiceBackendError) -> None:
        """Nothing may fail."""
        raise error


@pytest.fixture
def engines(open_engine: Callable[[str, str], Any], moonshine: SpeechToText) -> Engines:
    """Give the ear's, as the provider ``local`` has them."""
    found = {role: open_engine(role, name) for role, name in (("vad", "silero"), ("turn", "dangling"))}
    return Engines(stt=moonshine, **found)


@pytest.fixture
def hibari(open_engine: Callable[[str, str], TextToSpeech]) -> TextToSpeech:
    """Give the offline voice."""
    return open_engine("tts", "hibari")


def on_the_line(pcm: bytes, rate: int) -> bytes:
    """Return speech as it comes by G.711, with the silence before and after it, at 16 kHz."""
    codec = open_codec(Encoding.MULAW, LINE_RATE)
    narrow = b"".join(codec.decode(message) for message in codec.encode(resample(pcm, rate, LINE_RATE)))
    silence = bytes(round(0.5 * PIPELINE_RATE) * SAMPLE_BYTES)
    return silence + resample(narrow, LINE_RATE, PIPELINE_RATE) + silence


async def spoken(voice: TextToSpeech, text: str) -> bytes:
    """Return a text in the engine's voice, on the line."""
    pcm = b"".join([chunk async for chunk in voice.synthesize(text) if isinstance(chunk, bytes)])
    return on_the_line(pcm, voice.sample_rate)


def answerer(engines: Engines, pcm: bytes) -> list[tuple[float, Mapping[str, Any]]]:
    """Return what the log is told, and when, in seconds of the audio."""
    return virtual_time.run(_answerer(engines, pcm))


async def _answerer(engines: Engines, pcm: bytes) -> list[tuple[float, Mapping[str, Any]]]:
    told: list[tuple[float, Mapping[str, Any]]] = []
    now, step = asyncio.get_running_loop().time, round(FRAME_S * PIPELINE_RATE) * SAMPLE_BYTES
    began = now()
    listener = ScreenedListener(Conversation(), lambda entry: told.append((now() - began, entry)))
    ear = Ear(engines, Processors([], "call"), listener, Endpointing(), Meter())
    hearing = asyncio.create_task(ear.run(), name="ear")
    audio = pcm + bytes(round(AFTER_S * PIPELINE_RATE) * SAMPLE_BYTES)
    for at in range(0, len(audio), step):
        ear.push(audio[at : at + step])
        await asyncio.sleep(FRAME_S)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return told


@pytest.mark.parametrize("text", MACHINES)
def test_a_machine_is_known_soon_and_when_it_is_silent(engines: Engines, hibari: TextToSpeech, text: str) -> None:
    """By what it says, or that it talks on; one that pauses first is judged anew when it goes on."""
    told = answerer(engines, asyncio.run(spoken(hibari, text)))
    assert told[0][0] < SOON_S, told
    assert told[0][1]["who"] in {"machine", "unknown"} or "Anna" in text, told
    assert told[-1][1] == {"type": "answerer", "who": "machine", "speaks": False}, told


@pytest.mark.parametrize("text", PEOPLE)
def test_a_person_is_known_by_saying_little(engines: Engines, hibari: TextToSpeech, text: str) -> None:
    """Once they wait for an answer."""
    told = answerer(engines, asyncio.run(spoken(hibari, text)))
    assert [entry["who"] for _, entry in told] == ["human"], told


@pytest.mark.parametrize(("name", "who"), [("caller_yes_please.wav", "human"), ("human_austen_0870.wav", "machine")])
def test_recorded_voices_tell_by_how_long_they_speak(engines: Engines, name: str, who: str) -> None:
    """Who reads on for seven seconds is no person who was called."""
    [recording] = [one for one in recordings() if one.name == name]
    told = answerer(engines, on_the_line(recording.pcm, PIPELINE_RATE))
    assert told[0][1]["who"] == who, told
    assert told[0][0] < SOON_S

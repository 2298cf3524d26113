"""What the ear and the voice do beyond the suites of all: partial texts, requests that are given up, long texts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any, cast

import pytest
from openai_double import OpenAiDouble

from providers.conformance.double import KEY, Fault
from providers.conformance.remote import QUICK
from providers.conformance.stt import push
from providers.conformance.tts import LONG, say
from providers.mock.tones import speak, spoken
from providers.registry import STT, TTS
from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, InvalidConfig
from voicebackend.interfaces import Recognition, SpeechToText, TextToSpeech

PACE_S = 0.04


@pytest.fixture
async def double() -> AsyncIterator[OpenAiDouble]:
    """Give the vendor."""
    async with OpenAiDouble() as double:
        yield double
        assert double.garbled == []


@pytest.fixture
async def ear(double: OpenAiDouble) -> AsyncIterator[SpeechToText]:
    """Give its ear."""
    engine = STT.create("openai", {"api_key": KEY, "api_url": double.api_url, **QUICK, "model": "hear-1"})
    await engine.open()
    yield engine
    await engine.aclose()


@pytest.fixture
async def voice(double: OpenAiDouble) -> AsyncIterator[TextToSpeech]:
    """Give its voice."""
    settings = {"api_key": KEY, "api_url": double.api_url, **QUICK, "model": "speak-1", "voice": "marin"}
    engine = TTS.create("openai", {**settings, "instructions": "Be calm."})
    await engine.open()
    yield engine
    await engine.aclose()


async def test_the_text_is_reported_as_it_is_written_down(ear: SpeechToText) -> None:
    """A word or more at a time, then as all that was said."""
    reported: asyncio.Queue[Recognition] = asyncio.Queue()
    stream = await ear.stream(reported.put_nowait)
    await push(stream, speak("yellow canary bird", PIPELINE_RATE, PACE_S))
    await stream.pause()
    found = [await reported.get()]
    async with asyncio.timeout(10):
        while not found[-1].flushed:
            found.append(await reported.get())
    texts = [recognition.text for recognition in found]
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [recognition.text for recognition in found if not recognition.flushed][-1] == "yellow canary bird"
    assert (await stream.finish()).text == texts[-1] == "yellow canary bird"
    await stream.aclose()


async def test_only_pauses_cost_requests(double: OpenAiDouble, ear: SpeechToText) -> None:
    """Silence, and the utterance that goes on, cost none."""
    stream = await ear.stream(lambda recognition: None)
    await push(stream, AudioFormat().silence(1.0))
    await stream.finish()
    assert double.asked == []
    await push(stream, speak("a whole sentence of some length", PIPELINE_RATE, PACE_S))
    assert double.asked == []
    await stream.finish()
    assert double.asked == [{"model": "hear-1", "response_format": "json", "stream": "true"}]
    await stream.aclose()


async def test_an_utterance_longer_than_a_segment_loses_nothing(ear: SpeechToText) -> None:
    """It is written down in parts, the first of them while the caller still speaks."""
    text = "the quick brown fox jumps over the lazy dog " * 10
    stream = await ear.stream(lambda recognition: None)
    await push(stream, speak(text, PIPELINE_RATE, PACE_S))
    heard = (await stream.finish()).text
    assert heard.replace(" ", "") == text.replace(" ", "")
    await stream.aclose()


async def test_an_ear_that_is_closed_waits_for_nothing(double: OpenAiDouble, ear: SpeechToText) -> None:
    """Its request is given up."""
    double.order(Fault(kind="hang"))
    stream = await ear.stream(lambda recognition: None)
    await push(stream, speak("hello", PIPELINE_RATE, PACE_S))
    await stream.pause()
    await stream.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "openai-transcribe"]


async def test_a_failed_utterance_is_told_and_the_next_one_heard(double: OpenAiDouble, ear: SpeechToText) -> None:
    """Also where the request was made before anybody asked for its result."""
    stream = await ear.stream(lambda recognition: None)
    double.order(Fault(kind="status", status=500))
    await push(stream, speak("hello", PIPELINE_RATE, PACE_S))
    await stream.pause()
    with pytest.raises(ConnectionFailed):
        await stream.finish()
    double.order(None)
    await push(stream, speak("hello again", PIPELINE_RATE, PACE_S))
    assert (await stream.finish()).text == "hello again"
    await stream.aclose()


async def test_a_voice_that_is_stopped_is_made_no_further(double: OpenAiDouble, voice: TextToSpeech) -> None:
    """The request is aborted: the rest is not billed."""
    long = " ".join([LONG] * 5)
    chunks: Any = voice.synthesize(long)
    async with aclosing(chunks) as made:
        await anext(made)
    whole = 48_000 * 0.05 * len(long)
    await voice.aclose()
    assert double.spoken_bytes < whole / 2
    assert len(double.asked) == 1


async def test_a_text_longer_than_the_vendor_takes_is_spoken_in_parts(
    double: OpenAiDouble, voice: TextToSpeech
) -> None:
    """No word is lost between them."""
    text = " ".join([LONG] * 2)
    assert len(text) > 4096
    found = spoken(await say(voice, text), 24_000)
    assert [len(asked["input"]) <= 4096 for asked in double.asked] == [True] * len(double.asked)
    assert found.replace(" ", "") == text.replace(" ", "")
    assert {asked["instructions"] for asked in double.asked} == {"Be calm."}


async def test_speech_that_breaks_off_is_an_error(double: OpenAiDouble, voice: TextToSpeech) -> None:
    """It is not taken for the end of the text."""
    double.cut_after = 5
    with pytest.raises(ConnectionFailed):
        await say(voice, "Good day to you, and to all of you.")


async def test_the_credentials_can_be_tried(double: OpenAiDouble) -> None:
    """Without speaking or hearing anything."""
    for registry, settings in ((STT, {"model": "hear-1"}), (TTS, {"model": "speak-1", "voice": "marin"})):
        for key, kind in ((KEY, None), ("sk-wrong", AuthenticationFailed)):
            made: Any = cast("Any", registry).create(
                "openai", {"api_key": key, "api_url": double.api_url, **QUICK, **settings}
            )
            await made.open()
            if kind is None:
                await made.check()
            else:
                with pytest.raises(kind):
                    await made.check()
            await made.aclose()
    assert {seen.path for seen in double.seen} == {"/v1/models"}


@pytest.mark.parametrize(("settings", "field"), [({}, "model"), ({"model": "m", "voice": ""}, "voice")])
def test_models_and_voices_have_no_defaults(settings: dict[str, str], field: str) -> None:
    """The vendor retires them."""
    with pytest.raises(InvalidConfig) as caught:
        TTS.create("openai", settings)
    assert caught.value.details["field"] == field

"""The mock provider does what its script says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.mock.tones import speak, spoken
from providers.registry import ENGINES, PROVIDERS
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed, InvalidConfig, RateLimitExceeded, VoiceBackendError
from voicebackend.interfaces import Engine, Recognition, S2sEvent, SttStream, TurnEvidence

SOUND = b"\x01\x00" * 320
EVIDENCE = TurnEvidence(text="", silence_s=0.1)


def engine(role: str, **script: Any) -> Any:
    """Return the mock engine of a role as the provider with this script names it."""
    provider = PROVIDERS.create("mock", script)
    name, settings = provider.engines(BackendConfig(provider="mock"))[role]
    return ENGINES[role].create(name, settings)


async def ear(noted: list[str] | None = None, **script: Any) -> SttStream:
    """Open an ear that notes its partials."""

    def note(recognition: Recognition) -> None:
        if noted is not None:
            noted.append(recognition.text)

    stream: SttStream = await engine("stt", **script).stream(note)
    return stream


async def until_done(events: AsyncIterator[S2sEvent]) -> list[S2sEvent]:
    """Return the events of a turn."""
    found = []
    async for event in events:
        found.append(event)
        if event.kind == "turn_done":
            break
    return found


async def hear(stream: SttStream, pcm: bytes = SOUND) -> str:
    """Return what one utterance is recognised as."""
    await stream.push(pcm)
    return (await stream.finish()).text


async def test_without_a_script_every_utterance_is_a_greeting() -> None:
    """Five bytes of sound are enough to be heard."""
    stream = await ear()
    assert [await hear(stream, b"\x01\x02\x03\x04"), await hear(stream)] == ["hello from mock"] * 2


async def test_transcripts_come_in_turn_and_each_session_starts_anew() -> None:
    """After the last comes the first again."""
    ears = engine("stt", transcripts=["one", "two"])
    first, second = await ears.stream(lambda _: None), await ears.stream(lambda _: None)
    assert [await hear(first) for _ in range(3)] == ["one", "two", "one"]
    assert await hear(second) == "one"


async def test_words_are_reported_while_the_caller_speaks() -> None:
    """One more for every 200 ms; all of them at a pause."""
    partials: list[str] = []
    stream = await ear(partials, transcripts=["one two three"])
    for _ in range(20):
        await stream.push(SOUND)
    assert partials == ["one", "one two"]
    await stream.pause()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert partials[-1] == "one two three"


async def test_partials_can_be_switched_off() -> None:
    """Then only what a pause flushes comes, for the end of the turn is decided on that."""
    partials: list[str] = []
    stream = await ear(partials, partials=False)
    await stream.push(SOUND * 100)
    await stream.pause()
    await asyncio.sleep(0.01)
    assert await hear(stream) == "hello from mock"
    assert partials == ["hello from mock"]


@pytest.mark.looptime
async def test_the_delay_counts_from_the_pause(looptime: Any) -> None:
    """Recognition runs while the caller is silent."""
    stream = await ear(stt_delay="PT0.5S")
    await stream.push(SOUND)
    await stream.pause()
    await asyncio.sleep(0.4)
    await stream.finish()
    assert looptime == pytest.approx(0.5)
    assert await hear(stream) == "hello from mock"
    assert looptime == pytest.approx(1.0)


@pytest.mark.looptime
async def test_speech_is_delayed_before_its_first_byte(looptime: Any) -> None:
    """And not after."""
    chunks = [chunk async for chunk in engine("tts", tts_delay=0.08).synthesize("hello to whom it may concern")]
    assert looptime == pytest.approx(0.08)
    assert spoken(b"".join(chunks), 24_000) == "hello to whom it may concern"


async def test_the_length_of_speech_follows_its_characters() -> None:
    """At the rate that was asked for."""
    voice = engine("tts", seconds_per_character=0.1, tts_sample_rate=8000)
    pcm = b"".join([chunk async for chunk in voice.synthesize("ten chars.")])
    assert voice.sample_rate == 8000
    assert len(pcm) == 2 * 8000


async def test_scripted_audio_is_played_in_turn() -> None:
    """Given as bytes or, from JSON, as base64."""
    voice = engine("tts", audio=[b"\x01\x00\x02\x00", "/wD/AA=="])
    played = [[chunk async for chunk in voice.synthesize("anything")] for _ in range(3)]
    assert played == [[b"\x01\x00\x02\x00"], [b"\xff\x00\xff\x00"], [b"\x01\x00\x02\x00"]]


async def test_an_error_at_every_call() -> None:
    """A bare code says so."""
    stream = await ear(errors={"stt": "connection_failed"})
    for _ in range(2):
        with pytest.raises(ConnectionFailed):
            await hear(stream)


async def test_an_error_at_the_second_call_only() -> None:
    """With what a service that limits its callers would say."""
    voice = engine("tts", errors={"tts": {"code": "rate_limit_exceeded", "calls": [2], "retry_after": 3}})

    async def say() -> list[bytes]:
        return [chunk async for chunk in voice.synthesize("a")]

    assert await say()
    with pytest.raises(RateLimitExceeded) as caught:
        await say()
    assert caught.value.retry_after == 3
    assert await say()


@pytest.mark.parametrize("role", sorted(ENGINES))
async def test_every_engine_can_fail_to_open(role: str) -> None:
    """And only then, if the script says so."""
    broken = engine(role, errors={role: {"code": "connection_timeout", "on": "open", "calls": [1]}})
    with pytest.raises(VoiceBackendError, match="connection_timeout"):
        await broken.open()
    await broken.open()


async def test_every_listening_engine_can_fail() -> None:
    """Detector, turn detector, canceller and model."""
    with pytest.raises(VoiceBackendError):
        engine("vad", errors={"vad": "pipeline_error"}).stream().process(SOUND)
    with pytest.raises(VoiceBackendError):
        engine("noise", errors={"noise": "pipeline_error"}).stream().process(SOUND)
    with pytest.raises(VoiceBackendError):
        await engine("turn", errors={"turn": "timeout"}).end_of_turn(EVIDENCE)
    with pytest.raises(VoiceBackendError):
        await engine("s2s", errors={"s2s": "timeout"}).stream(metadata={})


@pytest.mark.parametrize(
    ("script", "field"),
    [
        ({"transcripts": []}, "transcripts"),
        ({"stt_delay": -1}, "stt_delay"),
        ({"tts_sample_rate": 7999}, "tts_sample_rate"),
        ({"seconds_per_character": 0.001}, "seconds_per_character"),
        ({"errors": {"ears": "timeout"}}, "errors.ears.[key]"),
        ({"errors": {"stt": "no_such_code"}}, "errors.stt.code"),
        ({"audio": ["not base64!"]}, "audio.0"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(script: dict[str, Any], field: str) -> None:
    """With the field's name, before anything starts."""
    with pytest.raises(InvalidConfig) as caught:
        PROVIDERS.create("mock", script)
    assert caught.value.details["field"] == field


async def test_two_callers_with_canary_words_are_told_apart() -> None:
    """An ear that decodes hears what was really said to it."""
    ears = engine("stt", decode=True)
    first, second = await ears.stream(lambda _: None), await ears.stream(lambda _: None)
    for left, right in zip(speak("canary", 16_000), speak("parrot", 16_000), strict=True):
        await first.push(bytes([left]))
        await second.push(bytes([right]))
    assert (await first.finish()).text == "canary"
    assert (await second.finish()).text == "parrot"


async def test_the_mock_detector_hears_two_samples() -> None:
    """A probability for each push, shorter than a frame or not."""
    stream = engine("vad").stream()
    assert stream.process(b"\x00\x00\x01\x00") == [1.0]
    assert stream.process(bytes(2)) == [0.0]
    assert stream.process(SOUND + bytes(640) + b"\x01\x00") == [1.0, 0.0, 1.0]
    assert stream.process(b"") == []


@pytest.mark.looptime
async def test_a_model_answers_a_hundred_milliseconds_after_the_caller(looptime: Any) -> None:
    """Plus its delay; what it says can be read back from its audio."""
    stream = await engine("s2s", replies=["good day"], s2s_delay=0.2).stream(metadata={})
    await stream.push(SOUND)
    await asyncio.sleep(0.05)
    await stream.push(SOUND)
    await stream.push(bytes(6400))
    events = await until_done(stream.events())
    assert looptime == pytest.approx(0.35)
    assert spoken(b"".join(event.pcm for event in events), 24_000) == "good day"
    assert [event.text for event in events if event.kind == "agent_text" and event.final] == ["good day"]
    await stream.aclose()


def test_the_provider_needs_no_engine_named() -> None:
    """It names its own for every role."""
    named = PROVIDERS.create("mock").engines(BackendConfig(provider="mock", stt_provider="moonshine"))
    assert {role: name for role, (name, _) in named.items()} == dict.fromkeys(ENGINES, "mock")
    assert all(isinstance(ENGINES[role].create(*found), Engine) for role, found in named.items())

"""Engine and provider ``vocode``: what is sent with a call, how it ends, and what is told of sounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from listening import LOUD, voice
from pydantic import SecretStr
from vocode_double import VocodeDouble

from providers.conformance.double import KEY, Double
from providers.conformance.s2s import conversation, until
from providers.registry import PROVIDERS, S2S
from providers.vocode import sounds, stream
from providers.vocode.config import VocodeConfig
from providers.vocode.s2s import VocodeS2s
from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.config import BackendConfig
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidConfig,
    VoiceBackendError,
)
from voicebackend.interfaces import S2sStream


class Gate(VocodeDouble):
    """Takes the key from the query, as some gates do."""

    def key_of(self, request: Any) -> str:
        return str(request.query.get("token", ""))


@pytest.fixture
async def double() -> AsyncIterator[VocodeDouble]:
    """Give a server that speaks five times as fast, and greets."""
    async with VocodeDouble(pace=0.2, greeting="good day") as double:
        yield double


async def opened(double: Double, **settings: Any) -> VocodeS2s:
    """Return the engine of a server, open."""
    known = {"api_key": SecretStr(KEY), "answer_gap": 0.2} | settings
    engine = VocodeS2s(VocodeConfig(url=f"{double.ws_url}/conversation", **known))
    await engine.open()
    return engine


async def say(stream: S2sStream, text: str) -> None:
    """Say something, and fall silent."""
    form = AudioFormat()
    pcm = voice(text, PIPELINE_RATE) + form.silence(0.5)
    for at in range(0, len(pcm), form.frame_bytes):
        await stream.push(pcm[at : at + form.frame_bytes])


async def test_a_greeting_is_an_answer_that_nobody_asked_for(double: VocodeDouble) -> None:
    """It has text and an end like any other, and audio at the rate that was asked for."""
    engine = await opened(double, sample_rate=24_000)
    async with conversation(engine) as talk:
        found = await until("turn_done", talk.events())
    assert [event.text for event in found if event.kind == "agent_text"] == ["good day"]
    assert b"".join(event.pcm for event in found) == voice("good day", 24_000)
    await engine.aclose()


async def test_the_agent_and_the_key_are_told_as_the_settings_say() -> None:
    """In the query; nothing in the headers then."""
    async with Gate() as gate:
        engine = await opened(gate, agent_id="sales", api_key_parameter="token")
        await engine.check()
        await engine.aclose()
    assert gate.seen[0].query == {"agent_id": "sales", "token": KEY}
    assert "Authorization" not in gate.seen[0].headers


async def test_the_key_may_come_from_the_environment(double: VocodeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings have none; a server without a gate needs none at all."""
    monkeypatch.setenv("VOCODE_API_KEY", KEY)
    engine = await opened(double, api_key=None)
    await engine.check()
    await engine.aclose()
    monkeypatch.delenv("VOCODE_API_KEY")
    engine = await opened(double, api_key=None)
    with pytest.raises(AuthenticationFailed):
        await engine.check()
    await engine.aclose()
    assert await double.released()


async def test_a_call_ends_when_it_has_taken_as_long_as_it_may(double: VocodeDouble) -> None:
    """We hang up; the events end in good order."""
    engine = await opened(double, max_call_duration=1)
    async with conversation(engine) as talk, asyncio.timeout(10):
        assert [event async for event in talk.events()]
        assert await double.released()
    await engine.aclose()


async def test_a_server_that_hangs_up_ends_the_events_and_breaks_nothing(double: VocodeDouble) -> None:
    """Its agent said goodbye: what is still sent goes nowhere, whenever that is noticed."""
    engine = await opened(double)
    async with conversation(engine) as talk, asyncio.timeout(10), asyncio.TaskGroup() as group:
        caller = group.create_task(goes_on(talk), name="caller")
        events = talk.events()
        await until("turn_done", events)
        await double.hang_up(1000)
        assert {event.kind async for event in events} <= {"speech_started", "speech_stopped", "user_text"}
        await talk.push(AudioFormat().silence(0.02))
        caller.cancel()
    await engine.aclose()


async def test_a_caller_on_hold_is_silent_to_the_server(double: VocodeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes from the pipeline then: what was said before is answered nevertheless."""
    monkeypatch.setattr(stream, "HOLD_S", 0.3)
    monkeypatch.setattr(stream, "LOOK_S", 0.05)
    engine = await opened(double)
    async with conversation(engine) as talk:
        events = talk.events()
        await until("turn_done", events)
        await talk.push(voice("hello", PIPELINE_RATE))
        found = await until("turn_done", events)
    assert [event.text for event in found if event.kind == "agent_text"] == ["you said hello"]
    await engine.aclose()


async def test_an_agent_that_says_goodbye_ends_the_call() -> None:
    """By a phrase that the settings know; one that the caller cut off does not."""
    async with VocodeDouble(pace=0.2, greeting="Good-bye, then!") as double:
        engine = await opened(double, goodbyes=["goodbye"])
        async with conversation(engine) as talk, asyncio.timeout(10):
            assert [event async for event in talk.events()][-1].kind == "turn_done"
            assert await double.released()
        async with conversation(engine) as talk:
            await until("audio", talk.events())
            await talk.interrupt(0.0)
            await say(talk, "wait")
            assert "audio" in {event.kind for event in await until("agent_text", talk.events())}
        await engine.aclose()


async def test_a_connection_that_breaks_is_told_to_who_sends_and_to_who_listens(double: VocodeDouble) -> None:
    """By the same error."""
    engine = await opened(double)
    async with conversation(engine) as talk, asyncio.timeout(10):
        await until("turn_done", talk.events())
        double.drop()
        with pytest.raises(ConnectionFailed):
            await goes_on(talk)
        with pytest.raises(ConnectionFailed):
            await until("turn_done", talk.events())
    await engine.aclose()


async def goes_on(talk: S2sStream) -> None:
    """Send silence until cancelled."""
    while True:
        await talk.push(AudioFormat().silence(0.02))
        await asyncio.sleep(0.001)


async def test_a_server_that_does_not_get_ready_is_given_up(double: VocodeDouble) -> None:
    """In time, and the call is released."""

    class Mute(VocodeDouble):
        async def _conversation(self, request: Any) -> Any:
            ws = await self.accept(request)
            while not (await ws.receive()).type.name.startswith("CLOS"):
                pass
            return ws

    async with Mute() as mute:
        engine = await opened(mute, first_byte_timeout=0.2)
        with pytest.raises(ConnectionTimeout):
            await engine.stream(metadata={})
        assert await mute.released()
        await engine.aclose()


async def test_a_sound_without_words_is_told_to_be_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A click that the server does not notice: the pipeline goes on, and does not take the server for dead."""
    monkeypatch.setattr(sounds, "WAIT_S", 0.1)
    monkeypatch.setattr(stream, "LOOK_S", 0.05)
    async with VocodeDouble(pace=0.2) as double:
        engine = await opened(double, vad="energy")
        async with conversation(engine) as talk:
            await talk.push(AudioFormat().silence(0.2) + low_tone() + AudioFormat().silence(0.4))
            found = await until("user_text", talk.events())
        await engine.aclose()
    assert [event.kind for event in found] == ["speech_started", "speech_stopped", "user_text"]
    assert found[-1].final
    assert not found[-1].text


def low_tone() -> bytes:
    """Return a fifth of a second that a detector takes for speech, and the double for silence."""
    loud = np.frombuffer(voice("aaaa", PIPELINE_RATE), "<i2")
    return (loud * (0.9 * LOUD / np.abs(loud).max())).astype("<i2").tobytes()


async def test_the_address_may_come_from_the_environment(double: VocodeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings have none; if nobody has one, that is told before anything is called."""
    monkeypatch.setenv("VOCODE_URL", f"{double.ws_url}/conversation")
    engine = VocodeS2s(VocodeConfig(api_key=SecretStr(KEY)))
    await engine.open()
    await engine.check()
    await engine.aclose()
    monkeypatch.delenv("VOCODE_URL")
    with pytest.raises(InvalidConfig) as caught:
        S2S.create("vocode", {})
    assert caught.value.details["field"] == "url"


def test_the_provider_names_its_engine_with_its_own_settings() -> None:
    """The key passes as it is; nothing shows it."""
    settings = {"url": "wss://voice.example/conversation", "api_key": KEY, "max_call_duration": 60}
    provider = PROVIDERS.create("vocode", settings)
    name, given = provider.engines(BackendConfig(provider="vocode"))["s2s"]
    engine = S2S.create(name, given)
    assert isinstance(engine, VocodeS2s)
    assert engine.remote
    assert engine.settings.api_key == SecretStr(KEY)
    assert engine.settings.max_call_duration.total_seconds() == 60
    assert KEY not in repr(engine.settings) + repr(provider.config)


@pytest.mark.parametrize(
    "settings",
    [{}, {"url": "voice.example"}, {"url": "ws://x/", "sample_rate": 11_025}, {"url": "ws://x/", "vad": "ear"}],
)
def test_settings_that_cannot_work_are_told_before_anything_is_called(settings: dict[str, Any]) -> None:
    """A missing or wrong setting, and a detector that there is none of."""
    with pytest.raises(VoiceBackendError):
        S2S.create("vocode", settings)

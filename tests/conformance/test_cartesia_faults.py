"""What Cartesia's engines do when the vendor does what its documentation says that it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cartesia_double import AGENT, VOICE, CartesiaDouble
from listening import voice

from providers.conformance.double import KEY
from providers.conformance.remote import QUICK
from providers.conformance.s2s import conversation, until
from providers.conformance.stt import ignore, push
from providers.conformance.tts import chunks, say
from providers.mock.tones import spoken
from providers.registry import ENGINES, PROVIDERS
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidConfig,
    RateLimitExceeded,
)
from voicebackend.interfaces import Engine, Recognition, S2sStream, WordTime

SETTINGS: dict[str, dict[str, Any]] = {
    "stt": {"stt_model_id": "ink-test"},
    "tts": {"model_id": "sonic-test", "voice_id": VOICE},
    "s2s": {"agent_id": AGENT},
    "provider": {},
}


@pytest.fixture
async def double() -> AsyncIterator[CartesiaDouble]:
    """Give the vendor; nothing that it does not know was sent to it, and no call is left open."""
    async with CartesiaDouble(pace=0.2) as double:
        yield double
        assert double.garbled == []


@pytest.fixture
async def engines(double: CartesiaDouble) -> AsyncIterator[Any]:
    """Give a function that makes engines, open; they are closed at the end."""
    made: list[Engine] = []

    async def get(role: str, **settings: Any) -> Any:
        registry: Any = PROVIDERS if role == "provider" else ENGINES[role]
        common = {"api_url": double.url, "api_key": KEY, **QUICK}
        made.append(registry.create("cartesia", {**common, **SETTINGS[role], **settings}))
        await made[-1].open()
        return made[-1]

    yield get
    for engine in made:
        await engine.aclose()
    assert await double.released()


async def tell(stream: S2sStream, text: str) -> None:
    """Say something in tones, and fall silent."""
    for frame in FrameCutter(PIPELINE_RATE).push(voice(text, PIPELINE_RATE) + AudioFormat().silence(0.5)):
        await stream.push(frame)


@pytest.mark.parametrize("role", SETTINGS)
async def test_credentials_can_be_tried(engines: Any, role: str) -> None:
    """At the cost of one request."""
    await (await engines(role)).check()
    with pytest.raises(AuthenticationFailed):
        await (await engines(role, api_key="sk-wrong")).check()


@pytest.mark.parametrize("role", SETTINGS)
async def test_a_key_is_needed_before_anything_else(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the settings or the environment."""
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    registry: Any = PROVIDERS if role == "provider" else ENGINES[role]
    engine = registry.create("cartesia", SETTINGS[role])
    with pytest.raises(InvalidConfig, match="CARTESIA_API_KEY"):
        await engine.open()
    monkeypatch.setenv("CARTESIA_API_KEY", "sk-of-the-environment")
    await engine.open()
    assert "sk-of-the-environment" not in f"{engine!r} {vars(engine)!r} {engine.settings!r}"
    await engine.aclose()


@pytest.mark.parametrize(("role", "field"), [("stt", "stt_model_id"), ("tts", "voice_id"), ("s2s", "agent_id")])
def test_what_is_missing_is_named(role: str, field: str) -> None:
    """No model of the vendor's is a default."""
    with pytest.raises(InvalidConfig) as caught:
        ENGINES[role].create("cartesia", {})
    assert field in str(caught.value) or caught.value.details["field"] in SETTINGS[role]


class TestEar:
    """Speech to text."""

    async def test_what_is_understood_so_far_is_told(self, engines: Any) -> None:
        """Before the caller pauses."""
        told: list[Recognition] = []
        stream = await (await engines("stt", keyterms=["canary", "yellow bird"])).stream(told.append)
        await push(stream, voice("a canary is a yellow bird", PIPELINE_RATE))
        assert (await stream.finish()).text == "a canary is a yellow bird"
        assert "a canary is".startswith(told[0].text)
        assert len(told) >= 2
        await stream.aclose()

    @pytest.mark.parametrize("code", [1000, 1011])
    async def test_a_vendor_that_hangs_up_in_the_middle_is_an_error(
        self, engines: Any, double: CartesiaDouble, code: int
    ) -> None:
        """Of whatever is done next, and not left for the end."""
        stream = await (await engines("stt")).stream(ignore)
        await push(stream, voice("hello", PIPELINE_RATE))
        finishing = asyncio.create_task(stream.finish(), name="finish")
        await double.hang_up(code)
        await asyncio.wait([finishing])  # it may have had its text just before
        for call in (stream.finish(), stream.push(bytes(640)), stream.pause(), stream.discard()):
            with pytest.raises(ConnectionFailed):
                await call
        await stream.aclose()

    async def test_a_text_that_does_not_come_is_not_waited_for_for_ever(
        self, engines: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection is there, and says nothing."""
        monkeypatch.setattr("cartesia_ears.ManualEar._send", lambda *_: asyncio.sleep(0))
        stream = await (await engines("stt")).stream(ignore)
        await push(stream, voice("hello", PIPELINE_RATE))
        with pytest.raises(ConnectionTimeout):
            await stream.finish()
        await stream.aclose()


class TestVoice:
    """Text to speech."""

    async def test_what_comes_late_of_a_text_is_in_no_other(self, engines: Any, double: CartesiaDouble) -> None:
        """It is cancelled, on the connection that all share."""
        voice_ = await engines("tts")
        async with chunks(voice_, "a long story that nobody wants to hear to its end") as found:
            await anext(found)
        assert spoken(await say(voice_, "hello"), 24_000) == "hello"
        assert len(double.voices) == 1
        assert len(double.voices[0].cancelled) == 1

    async def test_too_many_texts_at_once_are_a_rate_limit(self, engines: Any, double: CartesiaDouble) -> None:
        """The vendor counts contexts, and tells so on the connection."""
        double.refused = 429
        with pytest.raises(RateLimitExceeded):
            await say(await engines("tts"), "hello")

    async def test_a_voice_that_falls_silent_in_the_middle_is_not_waited_for(
        self, engines: Any, double: CartesiaDouble
    ) -> None:
        """What was made is heard before."""
        double.speed = 0.01
        async with chunks(await engines("tts", idle_timeout=0.2), "hello") as found:
            pieces = [await anext(found), await anext(found)]
            with pytest.raises(ConnectionTimeout):
                await anext(found)
        assert [type(piece) for piece in pieces] == [WordTime, bytes]

    async def test_a_connection_that_broke_between_texts_is_not_used_again(
        self, engines: Any, double: CartesiaDouble
    ) -> None:
        """The next text has a new one."""
        voice_ = await engines("tts")
        await say(voice_, "one")
        [connection] = voice_._connections._open
        double.drop()
        await asyncio.wait(connection._tasks._tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert spoken(await say(voice_, "two"), 24_000) == "two"
        assert len(double.voices) == 2


class TestAgent:
    """Speech to speech."""

    async def test_it_greets_and_hears_keys(self, engines: Any, double: CartesiaDouble) -> None:
        """Before and after the caller says anything."""
        double.greeting = "welcome"
        async with conversation(await engines("s2s")) as stream:
            found = await until("turn_done", stream.events())
            assert spoken(b"".join(event.pcm for event in found), 24_000) == "welcome"
            for digit in "42#":
                await stream.dtmf(digit)
            await tell(stream, "hello")
            await until("turn_done", stream.events())
        assert double.agents[0].keys == "42#"

    async def test_a_call_that_goes_on_is_told_what_was_said_and_not_greeted(
        self, engines: Any, double: CartesiaDouble
    ) -> None:
        """The agent greets, as it knows no better; the caller hears its answers only."""
        double.greeting = "welcome"
        engine = await engines("s2s", history_variable="so_far", dynamic_variables={"name": "Ada"})
        assert engine.remembers
        history = [HistoryEntry(role="user", text="hello", turn=1)]
        stream = await engine.stream(metadata={}, history=history)
        events = stream.events()
        assert [event.kind for event in await until("turn_done", events)] == ["turn_done"]
        await tell(stream, "go on")
        answer = await until("turn_done", events)
        assert spoken(b"".join(event.pcm for event in answer), 24_000) == "you said go on"
        assert double.agents[0].variables == {"name": "Ada", "so_far": "Caller: hello"}
        await stream.aclose()

    async def test_a_tool_of_the_clients_is_refused(self, engines: Any, double: CartesiaDouble) -> None:
        """The agent goes on."""
        async with conversation(await engines("s2s")) as stream:
            call = {"tool_call_id": "call_1", "tool_name": "open_cart", "parameters": {}, "expects_response": True}
            await double.agents[0].send({"type": "client_tool_call", **call})
            await tell(stream, "hello")
            await until("turn_done", stream.events())
        assert [result["is_error"] for result in double.agents[0].tool_results] == [True]

    async def test_an_error_that_is_not_fatal_is_noted(
        self, engines: Any, double: CartesiaDouble, caplog: pytest.LogCaptureFixture
    ) -> None:
        """By its code, without the vendor's words."""
        async with conversation(await engines("s2s")) as stream:
            await double.agents[0].send(
                {"type": "error", "code": "invalid_event", "message": "what the caller said", "fatal": False}
            )
            await tell(stream, "hello")
            await until("turn_done", stream.events())
        codes = [getattr(record, "error_code", None) for record in caplog.records]
        assert codes.count("invalid_event") == 1
        assert "caller said" not in caplog.text

    async def test_an_error_that_is_fatal_ends_the_call(self, engines: Any, double: CartesiaDouble) -> None:
        """Another engine may go on."""
        async with conversation(await engines("s2s")) as stream:
            await double.agents[0].send({"type": "error", "code": "agent_failed", "message": "x", "fatal": True})
            with pytest.raises(ConnectionFailed):
                await until("turn_done", stream.events())

    async def test_an_agent_that_hangs_up_ends_the_events(self, engines: Any, double: CartesiaDouble) -> None:
        """In good order."""
        async with conversation(await engines("s2s")) as stream:
            await double.hang_up(1000)
            assert await until("turn_done", stream.events()) == []

    async def test_an_agent_that_there_is_not_is_our_setting(self, engines: Any) -> None:
        """It is not tried again."""
        with pytest.raises(InvalidConfig):
            await (await engines("s2s", agent_id="agent_other")).stream(metadata={})

    async def test_an_agent_that_is_never_ready_is_given_up(
        self, engines: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And hung up on."""
        monkeypatch.setattr("cartesia_agent.AgentSocket._create", lambda *_: asyncio.sleep(0))
        with pytest.raises(ConnectionTimeout):
            await (await engines("s2s")).stream(metadata={})

"""What ElevenLabs' engines do beyond the suites: settings, history, tools, and the ways in which a call can end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest
from elevenlabs_double import AGENT, SIGNATURE, VOICE_ID, ElevenLabsDouble
from elevenlabs_vendor import opened, running, speak, voice_of
from listening import answer_to, voice

from providers.conformance.double import KEY
from providers.conformance.s2s import conversation, until
from providers.conformance.tts import chunks, say
from providers.elevenlabs import codec
from providers.mock.tones import spoken
from providers.registry import S2S, TTS
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import ConnectionFailed, InvalidConfig, InvalidFormat


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabsDouble]:
    """Give the double."""
    async with running() as double:
        yield double


async def test_an_agent_that_is_not_there_is_our_setting(vendor: ElevenLabsDouble) -> None:
    """``check`` tells, and talks to nobody."""
    async with opened(vendor) as good, opened(vendor, agent_id="agent_unknown") as bad:
        await good.check()
        with pytest.raises(InvalidConfig):
            await bad.check()
    assert {seen.path for seen in vendor.seen} == {"/v1/convai/conversation/get-signed-url"}


async def test_a_voice_that_is_not_there_is_our_setting(vendor: ElevenLabsDouble) -> None:
    """So is a model."""
    good, bad, old = voice_of(vendor), voice_of(vendor, voice_id="none"), voice_of(vendor, model_id="withdrawn")
    for engine in (good, bad, old):
        await engine.open()
    await good.check()
    with pytest.raises(InvalidConfig):
        await bad.check()
    with pytest.raises(InvalidConfig):
        await say(old, "hello")
    with pytest.raises(InvalidFormat):
        await say(good, "x" * 5_001)
    for engine in (good, bad, old):
        await engine.aclose()


@pytest.mark.parametrize("missing", ["model_id", "voice_id"])
def test_a_voice_and_its_model_must_be_named(missing: str) -> None:
    """None is assumed: they expire."""
    with pytest.raises(InvalidConfig) as caught:
        TTS.create("elevenlabs", {name: "x" for name in ("model_id", "voice_id") if name != missing})
    assert caught.value.details["field"] == missing


async def test_without_a_key_it_says_where_one_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of anybody."""
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="ELEVENLABS_API_KEY"):
        await S2S.create("elevenlabs", {"agent_id": AGENT}).open()


async def test_an_agent_speaks_for_itself(vendor: ElevenLabsDouble) -> None:
    """An agent of ours cannot answer through it."""
    async with opened(vendor) as engine:
        with pytest.raises(InvalidConfig):
            await engine.stream(metadata={}, answers=False)
    assert not vendor.seen


async def test_a_conversation_goes_on_from_another(vendor: ElevenLabsDouble) -> None:
    """The agent knows what was said; its greeting is not heard a second time."""
    vendor.agent.first_message = "welcome"
    history = [HistoryEntry(role="user", text="my name is Ada", turn=1)]
    async with opened(vendor) as engine:
        stream = await engine.stream(metadata={}, history=history)
        await speak(stream)
        found = await until("turn_done", stream.events())
        await stream.aclose()
    assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == answer_to("hello")
    assert [text for text in vendor.agent.contexts if "my name is Ada" in text]


async def test_a_greeting_is_an_answer_to_nothing(vendor: ElevenLabsDouble) -> None:
    """The settings give it; so with variables, which a session adds to."""
    async with opened(vendor, first_message="welcome", dynamic_variables={"name": "Ada"}) as engine:
        stream = await engine.stream(metadata={"dynamic_variables": {"city": "Oslo"}})
        found = await until("turn_done", stream.events())
        await stream.aclose()
    assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == "welcome"
    assert vendor.agent.begun[0]["dynamic_variables"] == {"name": "Ada", "city": "Oslo"}


async def test_a_text_is_answered_as_speech_is(vendor: ElevenLabsDouble) -> None:
    """By the agent."""
    async with opened(vendor) as engine, conversation(engine) as stream:
        await stream.tell("good day")
        found = await until("turn_done", stream.events())
    assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == answer_to("good day")


async def test_pings_and_tools_are_answered(vendor: ElevenLabsDouble) -> None:
    """A tool with an error: the agent waits for it, and there is none."""
    async with opened(vendor) as engine, conversation(engine) as stream:
        await speak(stream, voice("a tool", PIPELINE_RATE) + bytes(PIPELINE_RATE))
        await until("turn_done", stream.events())
    assert vendor.agent.pongs == [1]
    assert [result["is_error"] for result in vendor.agent.tool_results] == [True]


async def test_an_agent_that_hangs_up_ends_the_conversation(vendor: ElevenLabsDouble) -> None:
    """In good order: audio that is on its way to it is no error."""
    vendor.agent.hangs_up_on = "hello"
    async with opened(vendor) as engine, conversation(engine) as stream:
        await speak(stream)
        texts = [event.text async for event in stream.events() if event.kind == "user_text"]
        await speak(stream)
    assert texts[-1] == "hello"


async def test_a_dead_connection_is_told_to_who_speaks_and_to_who_listens(vendor: ElevenLabsDouble) -> None:
    """So that another can be tried at once."""
    async with opened(vendor) as engine, conversation(engine) as stream:
        await speak(stream)
        events = stream.events()
        await until("audio", events)
        vendor.drop()
        with pytest.raises(ConnectionFailed):
            await until("never", events)
        with pytest.raises(ConnectionFailed):
            await speak(stream)


async def test_an_agent_in_a_format_that_nobody_speaks_is_our_setting(vendor: ElevenLabsDouble) -> None:
    """It is found when the conversation begins, and the conversation is not left open."""
    vendor.agent.tells_format = "opus_48000_32"
    async with opened(vendor) as engine:
        with pytest.raises(InvalidConfig, match="PCM"):
            await engine.stream(metadata={})
        assert await vendor.released()


async def test_a_refused_override_is_our_setting(vendor: ElevenLabsDouble) -> None:
    """The vendor says so by a message, and closes."""
    vendor.agent.refuses = "override_error"
    async with opened(vendor, prompt="Be brief.") as engine:
        with pytest.raises(InvalidConfig, match="override_error"):
            await engine.stream(metadata={})


async def test_a_signed_url_gets_no_key(vendor: ElevenLabsDouble) -> None:
    """Wherever it leads."""
    async with running() as other, opened(vendor) as engine:
        vendor.signed_at = other.ws_url
        async with conversation(engine):
            pass
    assert [seen.path for seen in other.seen] == ["/v1/convai/conversation"]
    assert not [name for name in other.seen[0].headers if name.lower() == "xi-api-key"]


@pytest.mark.parametrize(
    ("api_url", "signed", "good"),
    [
        ("https://api.example", "wss://api.example/talk", True),
        ("https://api.example", "ws://api.example/talk", False),
        ("http://127.0.0.1", "ws://127.0.0.1/talk", True),
        ("http://127.0.0.1", "https://api.example/talk", False),
        ("http://127.0.0.1", None, False),
    ],
)
def test_a_signed_url_is_as_safe_as_the_api(api_url: str, signed: object, *, good: bool) -> None:
    """Whoever reads it on its way can talk with the agent."""
    with nullcontext() if good else pytest.raises(InvalidFormat):
        assert codec.signed_url({"signed_url": signed}, api_url) == signed


async def test_a_signed_url_is_in_no_log(vendor: ElevenLabsDouble, caplog: pytest.LogCaptureFixture) -> None:
    """Not when it works, and not when it fails."""
    with caplog.at_level(logging.DEBUG):
        async with opened(vendor, max_retries=0) as engine:
            async with conversation(engine) as stream:
                await speak(stream)
                events = stream.events()
                await until("audio", events)
                vendor.drop()
                with pytest.raises(ConnectionFailed) as caught:
                    await until("never", events)
            logging.getLogger("test").error("failed %r %r", engine, stream, exc_info=caught.value)
    assert SIGNATURE not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("pieces", [0, 2])
async def test_speech_that_breaks_off_is_told(vendor: ElevenLabsDouble, pieces: int) -> None:
    """After what had come; it is not begun again here, for that would be heard twice."""
    engine = voice_of(vendor)
    await engine.open()
    vendor.breaks_after = pieces
    heard = bytearray()

    async def listen() -> None:
        async with chunks(engine, "a sentence of some length") as found:
            async for chunk in found:
                heard.extend(chunk if isinstance(chunk, bytes) else b"")

    with pytest.raises(ConnectionFailed):
        await listen()
    assert len(heard) <= pieces * 12_000
    assert [seen.path for seen in vendor.seen] == [f"/v1/text-to-speech/{VOICE_ID}/stream/with-timestamps"]
    assert await say(engine, "hello")
    await engine.aclose()

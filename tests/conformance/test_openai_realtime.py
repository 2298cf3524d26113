"""What a conversation over the Realtime API does beyond the suite of all: what the model remembers, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from listening import STORY, voice
from openai_double import OpenAiDouble
from openai_realtime import RealtimeSession

from providers.conformance.double import KEY, Fault
from providers.conformance.remote import QUICK
from providers.conformance.s2s import until
from providers.mock.tones import spoken
from providers.openai.s2s import OpenAiS2s
from providers.registry import S2S
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, InvalidConfig, PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream

TALK = {"model": "talk-1", "voice": "marin", "transcription_model": "hear-1", "speech_model": "speak-1"}


@pytest.fixture
async def double() -> AsyncIterator[OpenAiDouble]:
    """Give the vendor."""
    async with OpenAiDouble() as double:
        yield double
        assert await double.released()


@asynccontextmanager
async def talking(
    double: OpenAiDouble, *, metadata: dict[str, Any] | None = None, answers: bool = True, **settings: Any
) -> AsyncIterator[tuple[S2sStream, RealtimeSession]]:
    """Hold a conversation; give both of its ends."""
    history = settings.pop("history", ())
    told = {"api_key": KEY, "api_url": double.api_url, **QUICK, **TALK, **settings}
    engine = S2S.create("openai", {name: value for name, value in told.items() if value is not None})
    await engine.open()
    try:
        stream = await engine.stream(metadata=metadata or {}, answers=answers, history=history)
        try:
            yield stream, double.sessions[-1]
        finally:
            await stream.aclose()
    finally:
        await engine.aclose()


async def speak(stream: S2sStream, text: str, *, silence_s: float = 0.5) -> None:
    """Say something."""
    pcm = voice(text, PIPELINE_RATE) + AudioFormat().silence(silence_s)
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)


async def say_often(stream: S2sStream, times: int) -> None:
    """Give it more to say than anybody hears."""
    for _ in range(times):
        await stream.say("Good day.")


def words(events: list[S2sEvent]) -> str:
    """Return what was heard of the model."""
    return spoken(b"".join(event.pcm for event in events), 24_000)


async def test_a_conversation_goes_on_from_another(double: OpenAiDouble) -> None:
    """The model knows what was said before, and the session its own voice."""
    history = [HistoryEntry(role="user", text="i am ada", turn=1), HistoryEntry(role="agent", text="hello", turn=1)]
    async with talking(double, history=history, metadata={"voice": "cedar"}) as (stream, session):
        await speak(stream, "good day")
        found = await until("turn_done", stream.events())
        told = [(item.role, item.text) for item in session.items]
    assert words(found) == "you said good day"
    assert told[:3] == [("user", "i am ada"), ("assistant", "hello"), ("user", "good day")]
    assert session.told["audio"]["output"]["voice"] == "cedar"
    assert double.garbled == []


async def test_an_answer_is_stopped_while_it_is_made(double: OpenAiDouble) -> None:
    """The vendor makes no more of it, and remembers what was heard."""
    double.pace = 1.0
    async with talking(double) as (stream, session):
        events = stream.events()
        await speak(stream, "tell me a story")
        await until("audio", events)
        await stream.interrupt(played_ms=120.0)
        assert {event.kind for event in await until("turn_done", events)} == {"turn_done"}
        await session.until(lambda: session.items[-1].audio_ms == 120)
    done = [said["event"]["response"] for said in session.record if said["event"]["type"] == "response.done"]
    assert [response["status"] for response in done] == ["cancelled"]
    assert double.garbled == []


async def test_an_answer_that_is_made_is_remembered_as_far_as_it_was_heard(double: OpenAiDouble) -> None:
    """It is played long after the vendor has made it; nothing is cancelled."""
    async with talking(double) as (stream, session):
        await speak(stream, "tell me a story")
        found = await until("turn_done", stream.events())
        await stream.interrupt(played_ms=1500.9)
        await session.until(lambda: session.items[-1].audio_ms == 1500)
    assert words(found) == STORY
    assert "error" not in {said["event"]["type"] for said in session.record}


async def test_who_speaks_while_an_answer_is_made_is_answered_once(double: OpenAiDouble) -> None:
    """The vendor does not answer by itself then: it is asked to when the first answer has been stopped."""
    double.pace = 0.5
    async with talking(double) as (stream, session):
        events = stream.events()
        await speak(stream, "tell me a story")
        await until("audio", events)
        await speak(stream, "stop it")
        while not (await until("user_text", events))[-1].final:
            pass
        double.pace = session.pace = 10.0
        await stream.interrupt(played_ms=100.0)
        assert "audio" not in {event.kind for event in await until("turn_done", events)}
        assert words(await until("turn_done", events)) == "you said stop it"
        created = [said for said in session.record if said["event"]["type"] == "response.created"]
    assert len(created) == 2


async def test_words_may_come_after_the_answer(double: OpenAiDouble) -> None:
    """They are written down by another model."""
    async with talking(double) as (stream, session):
        session.late_words = True
        await speak(stream, "good day")
        events = stream.events()
        before = await until("turn_done", events)
        after = await until("user_text", events)
    assert "user_text" not in {event.kind for event in before}
    assert [event.text for event in after if event.kind == "user_text" and not event.final][:1] == ["good"]


async def test_without_a_model_for_it_no_words_are_written_down(double: OpenAiDouble) -> None:
    """The model answers all the same."""
    async with talking(double, transcription_model=None) as (stream, _):
        await speak(stream, "good day")
        found = await until("turn_done", stream.events())
    assert [event.kind for event in found[:3]] == ["speech_started", "speech_stopped", "agent_text"]
    assert words(found) == "you said good day"


async def test_a_text_is_answered_as_if_it_was_said(double: OpenAiDouble) -> None:
    """And a key is known to the model when it answers next."""
    async with talking(double) as (stream, session):
        await stream.dtmf("5")
        await stream.tell("good day")
        found = await until("turn_done", stream.events())
        assert session.items[0].text == "The caller has pressed the key 5."
    assert words(found) == "you said good day"


async def test_a_given_text_is_spoken_to_the_letter_and_remembered(double: OpenAiDouble) -> None:
    """By the voice for texts, so that it is not reworded."""
    async with talking(double) as (stream, session):
        await stream.say("Good day to you.")
        found = await until("turn_done", stream.events())
        await session.until(lambda: [item.text for item in session.items] == ["Good day to you."])
        await stream.interrupt(played_ms=400.0)
        await session.until(lambda: [item.text for item in session.items] == ["Good day"])
    assert words(found) == "Good day to you."
    assert double.asked == [
        {"model": "speak-1", "voice": "marin", "input": "Good day to you.", "response_format": "pcm"}
    ]
    assert double.garbled == []


async def test_a_voice_that_fails_ends_the_conversation(double: OpenAiDouble) -> None:
    """By its error, so that another model can go on."""
    async with talking(double) as (stream, _):
        double.cut_after = 3
        await stream.say("Good day to you, and to all of you.")
        with pytest.raises(ConnectionFailed):
            await until("turn_done", stream.events())


async def test_a_text_that_is_cut_off_before_it_sounds_is_given_up(double: OpenAiDouble) -> None:
    """With its request; the next one is spoken at once."""
    async with talking(double, first_byte_timeout=20.0) as (stream, _):
        double.order(Fault(kind="hang"))
        await stream.say("Good day to you.")
        for _ in range(50):
            await asyncio.sleep(0)
        await stream.interrupt(played_ms=0.0)
        double.order(None)
        await stream.say("Fine.")
        events = stream.events()
        assert words(await until("turn_done", events)) == ""
        assert words(await until("turn_done", events)) == "Fine."
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "openai-speak"]) == 1


async def test_too_many_texts_are_refused(double: OpenAiDouble) -> None:
    """Nobody will hear them all."""
    async with talking(double) as (stream, _):
        with pytest.raises(PipelineError):
            await say_often(stream, 500)


async def test_the_vendor_cannot_hang_up_in_good_order(double: OpenAiDouble) -> None:
    """A session that has ended has expired, or its server restarts: the call goes on in another."""
    async with talking(double) as (stream, _):
        await double.hang_up(1000)
        with pytest.raises(ConnectionFailed):
            await until("turn_done", stream.events())


@pytest.mark.parametrize(
    ("code", "kind"), [("session_expired", ConnectionFailed), ("invalid_api_key", AuthenticationFailed)]
)
async def test_an_error_that_nothing_comes_after_ends_it(
    double: OpenAiDouble, code: str, kind: type[VoiceBackendError]
) -> None:
    """Others are passed over."""
    async with talking(double) as (stream, session):
        await session.complain({}, "invalid_value")
        await speak(stream, "good day")
        events = stream.events()
        assert words(await until("turn_done", events)) == "you said good day"
        await session.complain({}, code)
        with pytest.raises(kind):
            await until("turn_done", events)


async def test_audio_that_is_none_costs_only_itself(double: OpenAiDouble) -> None:
    """The rest of the answer is heard."""
    async with talking(double) as (stream, session):
        await session.tell("response.created", response={"id": "resp_x"})
        part = {"response_id": "resp_x", "item_id": "x", "output_index": 0, "content_index": 0}
        for delta in ("%%%", "AAAAAA=="):
            await session.tell("response.output_audio.delta", delta=delta, **part)
        await session.tell("response.done", response={"id": "resp_x", "status": "completed"})
        found = await until("turn_done", stream.events())
    assert [event.pcm for event in found] == [bytes(4), b""]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"voice": "nobody"}, "session.audio.output.voice"),
        ({"model": None}, "model"),
        ({"voice": None}, "speech_model"),
        ({"silence": 0.01}, "silence"),
        ({"api_url": "openai.example"}, "api_url"),
        ({"vad_treshold": 0.5}, "vad_treshold"),
    ],
)
async def test_wrong_settings_are_named(double: OpenAiDouble, settings: dict[str, Any], field: str) -> None:
    """By us, or by the vendor when the session is set up."""
    with pytest.raises(InvalidConfig) as caught:
        async with talking(double, **settings):
            pass
    assert caught.value.details["field"] == field


async def test_what_it_cannot_do_is_said_before_anything_is_sent(double: OpenAiDouble) -> None:
    """An agent needs the caller's words; texts need a voice."""
    with pytest.raises(InvalidConfig, match="transcription_model"):
        async with talking(double, transcription_model=None, answers=False):
            pass
    assert double.seen == []
    async with talking(double, speech_model=None) as (stream, _):
        with pytest.raises(InvalidConfig, match="speech_model"):
            await stream.say("Good day.")
    assert not S2S.create("openai", {"model": "talk-1"}).can_say


async def test_the_key_comes_from_the_environment(double: OpenAiDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the settings have none; the credentials can be tried without a conversation."""
    engine = S2S.create("openai", {"model": "talk-1", "api_url": double.api_url})
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InvalidConfig, match="OPENAI_API_KEY"):
        await engine.open()
    with pytest.raises(ConnectionFailed):
        await engine.check()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    await engine.open()
    await engine.check()
    assert [seen.path for seen in double.seen] == ["/v1/models"]
    double.order(Fault(kind="status", status=401))
    with pytest.raises(AuthenticationFailed):
        await engine.check()
    assert isinstance(engine, OpenAiS2s)
    assert KEY not in f"{engine.config!r} {engine.api!r}"
    await engine.aclose()

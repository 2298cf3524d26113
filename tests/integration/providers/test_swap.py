"""A session that goes on with another provider, other engines, or another kind of pipeline, in mid-call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from listening import STORY, answer_to
from tone_caller import ToneCaller, on_the_line

from voicebackend import BackendConfig, SessionConfig, VoiceBackend, VoiceSession
from voicebackend.errors import ErrorCode, InvalidConfig
from voicebackend.events import Swapped

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]

SCRIPT = {"decode": True, "seconds_per_character": 0.05}
SETTINGS = {
    "stt/mock": {"decode": True},
    "tts/mock": {"seconds_per_character": 0.05},
    "s2s/mock": {"transcripts": ["hello model"], "replies": ["the model says so"], "seconds_per_character": 0.05},
    "provider/mock": SCRIPT,
}


@asynccontextmanager
async def call(**fields: Any) -> AsyncIterator[tuple[VoiceSession, ToneCaller]]:
    """Hold a call by the mock, with our agent."""
    fields = {"provider": "mock", "provider_config": SCRIPT, "engine_settings": SETTINGS, **fields}
    async with VoiceBackend(BackendConfig(**fields)) as backend:
        wanted = SessionConfig(user_id="u", transport="websocket", agent_callback=answer_to)
        session = await backend.create_session(wanted)
        async with on_the_line(session) as caller:
            yield session, caller


async def turn(caller: ToneCaller, text: str) -> None:
    """Say something, and hear it answered to the end."""
    caller.listen_anew()
    before = len(caller.transcripts("agent"))
    caller.say(text)
    await caller.until(lambda: len(caller.transcripts("agent")) > before)
    await caller.quiet(0.5)
    assert caller.transcripts("user")[-1].strip() == text
    assert caller.words.strip() == answer_to(text)


async def test_an_answer_goes_on_in_another_pipeline() -> None:
    """To speech to speech and back while a story is told: no word is lost, none comes twice, and no silence is long."""
    async with call() as (session, caller):
        await turn(caller, "hello there")
        caller.listen_anew()
        caller.say("tell me a story")
        await caller.until(lambda: caller.heard_s > 1.0)
        told = await session.swap(pipeline_type="s2s")
        assert (told.swapped, told.error) == (True, None), told
        await caller.until(lambda: caller.heard_s > 2.5)
        back = await session.swap(pipeline_type="stt_tts")
        assert (back.swapped, back.lost) == (True, ())
        await caller.until(lambda: len(caller.transcripts("agent")) > 1)
        await caller.quiet(0.5)
        assert caller.transcripts("agent")[-1].strip() == STORY
        assert caller.longest_silence_s <= 1.5
        heard = caller.words.split()
        assert len(heard) - len(STORY.split()) <= 2  # a word that was cut off is said again
        assert [event.swapped for event in caller.events if isinstance(event, Swapped)] == [True, True]
        await turn(caller, "goodbye")


async def test_another_provider_goes_on() -> None:
    """Its settings are the deployment's; what was being said by the caller is heard by it."""
    async with call(vad_provider="energy", noise_cancellation_provider="none") as (session, caller):
        await turn(caller, "hello there")
        caller.listen_anew()
        caller.say("one two three four five")
        await asyncio.sleep(0.5)
        outcome = await session.swap(provider="local", stt_provider="mock", tts_provider="mock")
        assert outcome.swapped, outcome
        assert session.view.provider == "local"
        await caller.until(lambda: len(caller.transcripts("agent")) > 1)
        assert caller.transcripts("user")[-1].strip() == "one two three four five"


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ({"provider": "nobody"}, ErrorCode.PROVIDER_NOT_FOUND),
        ({"provider": "livekit"}, ErrorCode.INVALID_CONFIG),
        ({"stt_provider": "moonshine"}, ErrorCode.INVALID_CONFIG),
    ],
)
async def test_what_cannot_be_had_leaves_all_as_it_was(names: dict[str, str], code: ErrorCode) -> None:
    """The answer says why, and the call goes on."""
    async with call() as (session, caller):
        outcome = await session.swap(**names)
        assert (outcome.swapped, outcome.provider, outcome.error) == (False, "mock", code)
        await turn(caller, "hello there")


async def test_naming_nothing_is_refused_before_anything_is_asked() -> None:
    """At the edge."""
    async with call() as (session, _):
        with pytest.raises(InvalidConfig):
            await session.swap()


async def test_typed_text_is_a_turn_of_the_callers() -> None:
    """It interrupts, is in the log, and is answered by voice."""
    async with call() as (session, caller):
        caller.say("tell me a story")
        await caller.until(lambda: caller.heard_s > 0.5)
        await session.send_text("what time is it")
        await caller.until(lambda: len(caller.transcripts("agent")) > 1)
        first, second = caller.transcripts("agent")
        assert STORY.startswith(first.strip())
        assert len(first) < len(STORY)
        assert second.strip() == answer_to("what time is it")
        assert caller.transcripts("user")[-1] == "what time is it"
        with pytest.raises(InvalidConfig):
            await session.send_text("x" * 4001)

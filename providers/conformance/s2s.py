"""What every speech-to-speech engine must do: each inherits the suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

HELLO = b"\x10\x20" * PIPELINE_RATE
KINDS = {"audio", "user_text", "agent_text", "speech_started", "speech_stopped", "turn_done", "error"}
SPEECH = {"audio", "agent_text"}


async def until(kind: str, events: AsyncIterator[S2sEvent]) -> list[S2sEvent]:
    """Return the events up to the next of this kind."""
    found: list[S2sEvent] = []
    async with asyncio.timeout(20):
        async for event in events:
            found.append(event)
            if event.kind == kind:
                break
    return found


@asynccontextmanager
async def conversation(engine: SpeechToSpeech, *, answers: bool = True) -> AsyncIterator[S2sStream]:
    """Open a stream for one test."""
    stream = await engine.stream(metadata={}, answers=answers)
    try:
        yield stream
    finally:
        await stream.aclose()


class S2sSuite:
    """Subclasses give ``engine``, opened."""

    async def speak(self, stream: S2sStream) -> None:
        """Say something to the model, and fall silent."""
        await stream.push(HELLO)

    async def test_who_speaks_is_answered(self, engine: SpeechToSpeech) -> None:
        """Speech is noticed and understood; text and audio come back, then the end of the turn."""
        async with conversation(engine) as stream:
            await self.speak(stream)
            found = await until("turn_done", stream.events())
        kinds = [event.kind for event in found]
        assert set(kinds) <= KINDS
        assert kinds[0] == "speech_started"
        assert kinds[-1] == "turn_done"
        assert {"user_text", "agent_text", "audio"} <= set(kinds)
        assert all(len(event.pcm) % 2 == 0 for event in found)
        assert [event.final for event in found if event.kind == "user_text"][-1]

    async def test_silence_is_noticed_before_the_words_are_final(self, engine: SpeechToSpeech) -> None:
        """Whoever speaks over the model falls silent sooner than it is understood."""
        async with conversation(engine) as stream:
            await self.speak(stream)
            found = await until("turn_done", stream.events())
        of_the_caller = [event.kind for event in found if event.kind.startswith("speech") or event.final]
        assert of_the_caller[:3] == ["speech_started", "speech_stopped", "user_text"]
        assert all(0 <= event.silence_s < 5 for event in found)

    async def test_the_pieces_of_its_text_make_the_whole(self, engine: SpeechToSpeech) -> None:
        """Where they come before it, in the order of the audio."""
        async with conversation(engine) as stream:
            await self.speak(stream)
            found = await until("turn_done", stream.events())
        texts = [event for event in found if event.kind == "agent_text"]
        pieces = "".join(event.text for event in texts if not event.final)
        wholes = [event.text for event in texts if event.final]
        assert wholes in ([], [pieces or wholes[0]])
        assert pieces or wholes

    async def test_closing_ends_the_events(self, engine: SpeechToSpeech) -> None:
        """A reader is not left waiting."""
        async with conversation(engine) as stream:
            reader = asyncio.create_task(_all(stream.events()), name="reader")
            await asyncio.sleep(0)
            await stream.aclose()
            async with asyncio.timeout(5):
                assert await reader == []

    async def test_an_interrupted_answer_goes_on_no_more(self, engine: SpeechToSpeech) -> None:
        """Its audio stops, and the next turn is answered."""
        async with conversation(engine) as stream:
            await self.speak(stream)
            events = stream.events()
            await until("audio", events)
            await stream.interrupt(played_ms=20)
            assert "audio" not in {event.kind for event in await until("turn_done", events)}
            await self.speak(stream)
            assert "audio" in {event.kind for event in await until("turn_done", events)}

    async def test_an_answer_that_was_heard_of_to_its_end_can_still_be_cut(self, engine: SpeechToSpeech) -> None:
        """It is being played while the caller speaks; what is said next is answered, and not cut with it."""
        async with conversation(engine) as stream:
            events = stream.events()
            await self.speak(stream)
            await until("turn_done", events)
            await self.speak(stream)
            while not (await until("user_text", events))[-1].final:
                pass
            await stream.interrupt(played_ms=20)
            assert "audio" in {event.kind for event in await until("turn_done", events)}

    async def test_interrupting_nothing_does_nothing(self, engine: SpeechToSpeech) -> None:
        """The next turn is answered."""
        async with conversation(engine) as stream:
            await stream.interrupt(played_ms=0)
            await self.speak(stream)
            assert "audio" in {event.kind for event in await until("turn_done", stream.events())}

    async def test_a_voice_that_it_lends_is_held_to_a_suite(self, engine: SpeechToSpeech) -> None:
        """Who says that it speaks texts of others is tested for that."""
        assert engine.can_say == isinstance(self, SayingSuite)


class SayingSuite(S2sSuite):
    """For those that speak texts of others."""

    async def test_texts_are_spoken_one_after_the_other(self, engine: SpeechToSpeech) -> None:
        """Each as an answer of its own; who listens only does not answer."""
        async with conversation(engine, answers=False) as stream:
            events = stream.events()
            await stream.say("Good day.")
            await stream.say("And welcome.")
            for _ in range(2):
                kinds = [event.kind for event in await until("turn_done", events)]
                assert kinds.count("audio")
                assert set(kinds) <= SPEECH | {"turn_done"}
            await self.speak(stream)
            while not (understood := await until("user_text", events))[-1].final:
                pass
            assert not SPEECH & {event.kind for event in understood}
            await stream.say("You are welcome.")
            assert "speech_started" not in {event.kind for event in await until("turn_done", events)}

    async def test_a_text_that_was_cut_off_is_followed_by_the_next(self, engine: SpeechToSpeech) -> None:
        """Nothing more of it comes, nor of those that waited behind it."""
        async with conversation(engine, answers=False) as stream:
            events = stream.events()
            await stream.say("A long story that nobody wants to hear.")
            await stream.say("And another.")
            await until("audio", events)
            await stream.interrupt(played_ms=20)
            assert "audio" not in {event.kind for event in await until("turn_done", events)}
            await stream.say("Fine.")
            assert "audio" in {event.kind for event in await until("turn_done", events)}


async def _all(events: AsyncIterator[S2sEvent]) -> list[S2sEvent]:
    return [event async for event in events]

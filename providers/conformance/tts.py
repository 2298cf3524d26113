"""What every voice must do: each engine inherits the suite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE, SAMPLE_BYTES, level_dbfs, resample
from voicebackend.cli.words import word_error
from voicebackend.interfaces import TextToSpeech

Hear = Callable[[bytes], Awaitable[str]]
"""Returns the words in 16 kHz PCM."""
SENTENCES = (
    "Your appointment is on Tuesday at three in the afternoon.",
    "Could you please tell me your full name?",
    "Thank you for calling, and have a nice day.",
)
LONG = " ".join(SENTENCES * 20)


def chunks(engine: TextToSpeech, text: str) -> Any:
    """Open the engine's iterator so that it is closed at the end."""
    made: Any = engine.synthesize(text)
    return aclosing(made)


async def say(engine: TextToSpeech, text: str) -> bytes:
    """Return the whole speech."""
    async with chunks(engine, text) as found:
        return b"".join([chunk async for chunk in found if isinstance(chunk, bytes)])


class TtsSuite:
    """Subclasses give ``engine``, opened, and ``hear``."""

    tolerated = 0.2
    """Word error rate."""

    @pytest.mark.parametrize("text", SENTENCES)
    async def test_what_it_says_can_be_understood(self, engine: TextToSpeech, hear: Hear, text: str) -> None:
        """Its audio, brought to 16 kHz and recognised, holds the words of the text."""
        pcm = await say(engine, text)
        heard = await hear(resample(pcm, engine.sample_rate, PIPELINE_RATE))
        assert word_error(text, heard) <= self.tolerated

    async def test_it_is_as_loud_as_speech(self, engine: TextToSpeech) -> None:
        """Neither a whisper nor clipped."""
        assert -40 <= level_dbfs(await say(engine, SENTENCES[0])) <= -6

    async def test_it_yields_whole_samples_at_a_rate_that_a_caller_may_use(self, engine: TextToSpeech) -> None:
        """Chunks are not empty, and of an even number of bytes."""
        async with chunks(engine, SENTENCES[0]) as found:
            sizes = [len(chunk) async for chunk in found if isinstance(chunk, bytes)]
        assert sizes
        assert all(size > 0 and size % 2 == 0 for size in sizes)
        assert MIN_RATE <= engine.sample_rate <= MAX_RATE

    async def test_word_times_come_in_order_before_their_audio(self, engine: TextToSpeech) -> None:
        """An engine that tells them tells of words of the text that sound within it; others yield audio alone."""
        made, last = 0.0, 0.0
        async with chunks(engine, SENTENCES[0]) as found:
            async for chunk in found:
                if isinstance(chunk, bytes):
                    made += len(chunk) / SAMPLE_BYTES / engine.sample_rate
                    continue
                assert chunk.word in SENTENCES[0]
                assert max(made, last) <= chunk.end_s + 0.001
                assert last <= chunk.start_s < chunk.end_s
                last = chunk.end_s
        assert last <= made

    @pytest.mark.parametrize("text", ["", "  \n "])
    async def test_nothing_to_say_is_no_audio(self, engine: TextToSpeech, text: str) -> None:
        """Blank text yields nothing and does not fail."""
        assert await say(engine, text) == b""

    async def test_the_same_text_gives_the_same_audio(self, engine: TextToSpeech) -> None:
        """So that a test of what was said can compare."""
        assert await say(engine, SENTENCES[1]) == await say(engine, SENTENCES[1])

    async def test_concurrent_sessions_never_mix(self, engine: TextToSpeech) -> None:
        """Speaking at once gives each what it gets alone."""
        alone = [await say(engine, text) for text in SENTENCES]
        together = await asyncio.gather(*(say(engine, text) for text in SENTENCES))
        assert together == alone

    async def test_closing_in_the_middle_stops_the_work(self, engine: TextToSpeech) -> None:
        """Nothing more comes, and the next text is spoken at once."""
        async with chunks(engine, LONG) as found:
            assert await anext(found)
        with pytest.raises(StopAsyncIteration):
            await anext(found)
        assert await say(engine, SENTENCES[2])

    async def test_it_can_be_cancelled(self, engine: TextToSpeech) -> None:
        """A caller who interrupts leaves the voice usable."""
        started = asyncio.Event()

        async def talk() -> None:
            async with chunks(engine, LONG) as found:
                async for _ in found:
                    started.set()
                    await asyncio.sleep(0)

        task = asyncio.create_task(talk(), name="talk")
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await say(engine, SENTENCES[2])

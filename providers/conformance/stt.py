"""What every speech recogniser must do: each engine inherits the suite."""

from __future__ import annotations

import asyncio

import pytest

from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.cli.words import word_error
from voicebackend.interfaces import Recognition, SpeechToText, SttStream

Said = tuple[bytes, str]
"""PCM and the words in it."""
SILENCE = AudioFormat().silence(0.3)


async def push(stream: SttStream, pcm: bytes) -> None:
    """Hand audio over as the pipeline does, in frames."""
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)
        await asyncio.sleep(0)


def ignore(recognition: Recognition) -> None:
    """Take a partial and forget it."""
    assert not recognition.final


class SttSuite:
    """Subclasses give ``engine``, opened, and ``said``: at least three different utterances."""

    tolerated = 0.2
    """Word error rate."""

    async def test_it_recognises_what_was_said(self, engine: SpeechToText, said: list[Said]) -> None:
        """One stream hears utterance after utterance."""
        stream = await engine.stream(ignore)
        for pcm, text in said:
            await push(stream, pcm)
            result = await stream.finish()
            assert result.final
            assert word_error(text, result.text) <= self.tolerated
        await stream.aclose()

    async def test_concurrent_sessions_never_mix(self, engine: SpeechToText, said: list[Said]) -> None:
        """Each stream hears its own caller only."""

        async def call(pcm: bytes) -> str:
            stream = await engine.stream(ignore)
            await push(stream, pcm)
            return (await stream.finish()).text

        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(call(pcm), name=f"call {text[:20]}") for pcm, text in said * 2]
        for (_, text), task in zip(said * 2, calls, strict=True):
            assert word_error(text, task.result()) <= self.tolerated

    async def test_a_pause_starts_on_the_result(self, engine: SpeechToText, said: list[Said]) -> None:
        """The silence after the pause changes nothing, and the text is reported before."""
        reported = asyncio.Event()
        partials: list[str] = []

        def note(recognition: Recognition) -> None:
            partials.append(recognition.text)
            reported.set()

        pcm, text = said[0]
        stream = await engine.stream(note)
        await push(stream, pcm)
        reported.clear()
        partials.clear()
        await stream.pause()
        async with asyncio.timeout(20):
            while not partials or word_error(text, partials[-1]) > self.tolerated:
                await reported.wait()
                reported.clear()
        await push(stream, SILENCE)
        assert (await stream.finish()).text == partials[-1]

    async def test_every_pause_is_reported_as_flushed(self, engine: SpeechToText, said: list[Said]) -> None:
        """The end of a turn is decided on it: also when there is no news, and when nothing was said."""
        reported: asyncio.Queue[Recognition] = asyncio.Queue()
        stream = await engine.stream(reported.put_nowait)
        await push(stream, said[0][0])
        for _ in range(2):
            await stream.pause()
            async with asyncio.timeout(30):
                while not (await reported.get()).flushed:
                    pass
            await stream.push(bytes(640))
        await stream.aclose()

    async def test_speech_after_a_pause_belongs_to_the_utterance(self, engine: SpeechToText, said: list[Said]) -> None:
        """Paused again, it is recognised with what came before."""
        (first, words), (second, more) = said[:2]
        stream = await engine.stream(ignore)
        await push(stream, first)
        await stream.pause()
        await push(stream, SILENCE + second)
        await stream.pause()
        await push(stream, SILENCE)
        assert word_error(f"{words} {more}", (await stream.finish()).text) <= self.tolerated

    async def test_discard_forgets_the_utterance(self, engine: SpeechToText, said: list[Said]) -> None:
        """Only what comes after is recognised."""
        stream = await engine.stream(ignore)
        await push(stream, said[0][0])
        await stream.pause()
        await stream.discard()
        await push(stream, said[1][0])
        assert word_error(said[1][1], (await stream.finish()).text) <= self.tolerated

    async def test_finish_makes_ready_for_the_next_utterance(self, engine: SpeechToText, said: list[Said]) -> None:
        """Finishing again says nothing."""
        stream = await engine.stream(ignore)
        await push(stream, said[0][0])
        await stream.pause()
        await stream.finish()
        assert (await stream.finish()) == Recognition(text="", final=True)

    @pytest.mark.parametrize("samples", [0, 1, 50, PIPELINE_RATE])
    async def test_silence_says_nothing(self, engine: SpeechToText, samples: int) -> None:
        """No audio, very little, or a second of digital silence."""
        stream = await engine.stream(ignore)
        await stream.push(bytes(2 * samples))
        assert (await stream.finish()) == Recognition(text="", final=True)

    async def test_a_stream_can_be_closed_in_the_middle(self, engine: SpeechToText, said: list[Said]) -> None:
        """Twice, and with work under way; nothing is reported afterwards."""
        partials: list[str] = []
        stream = await engine.stream(lambda recognition: partials.append(recognition.text))
        await push(stream, said[0][0])
        await stream.pause()
        await stream.aclose()
        await stream.aclose()
        partials.clear()
        other = await engine.stream(ignore)
        await push(other, said[1][0])
        await other.finish()
        assert partials == []

    async def test_opening_twice_is_harmless(self, engine: SpeechToText) -> None:
        """Two sessions may open the same engine."""
        await asyncio.gather(engine.open(), engine.open())

"""The ear of a recogniser that takes whole utterances."""

from __future__ import annotations

import asyncio

import pytest

from providers.engines.stt.segments import LONGEST_BYTES
from providers.engines.stt.utterance import UtteranceStream
from voicebackend.errors import PipelineError
from voicebackend.interfaces import Recognition

S = 32_000
"""Bytes in a second."""


class Recogniser:
    """Recognises audio as its length in tenths of a second, when told to."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.jobs: list[asyncio.Future[str]] = []
        self.heard: list[int] = []
        self.at_once = at_once
        self.busy = False

    def __call__(self, pcm: bytes) -> asyncio.Future[str]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.heard.append(len(pcm))
        self.jobs.append(future)
        if self.at_once:
            self.answer(-1)
        return future

    def answer(self, job: int) -> None:
        """Finish a job."""
        self.jobs[job].set_result(f"{self.heard[job] * 10 // S}")


class Ear:
    """A stream over a recogniser, and what it reported."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.recogniser = Recogniser(at_once=at_once)
        self.partials: list[str] = []
        self.stream = UtteranceStream(self.recogniser, self._note, busy=lambda: self.recogniser.busy)

    def _note(self, recognition: Recognition) -> None:
        self.partials.append(recognition.text)

    async def push(self, seconds: float) -> None:
        """Push that much audio in frames."""
        for _ in range(round(seconds * 50)):
            await self.stream.push(bytes(640))
            await asyncio.sleep(0)

    async def finish(self) -> str:
        """Return the final text."""
        return (await self.stream.finish()).text


async def test_what_was_said_so_far_is_decoded_every_half_second() -> None:
    """And reported."""
    ear = Ear()
    await ear.push(1.7)
    assert ear.partials == ["5", "10", "15"]


async def test_only_one_guess_is_under_way() -> None:
    """A slow recogniser gets no second job before the first is done."""
    ear = Ear(at_once=False)
    await ear.push(3)
    assert len(ear.recogniser.jobs) == 1
    ear.recogniser.answer(0)
    await ear.push(0.02)
    assert len(ear.recogniser.jobs) == 2


async def test_no_guesses_while_the_threads_are_busy() -> None:
    """Final results of other sessions go first."""
    ear = Ear()
    ear.recogniser.busy = True
    await ear.push(3)
    assert ear.recogniser.jobs == []


async def test_finish_without_a_pause_recognises_everything() -> None:
    """Now."""
    ear = Ear()
    await ear.push(0.3)
    assert await ear.finish() == "3"


async def test_finish_takes_the_result_of_the_last_pause() -> None:
    """The silence after it is not decoded again."""
    ear = Ear()
    await ear.push(0.4)
    await ear.stream.pause()
    await ear.push(0.3)
    assert await ear.finish() == "4"
    assert ear.partials == ["4"]


async def test_a_second_pause_takes_in_what_came_between() -> None:
    """Pausing twice at the same place decodes once."""
    ear = Ear()
    await ear.push(0.4)
    await ear.stream.pause()
    await ear.push(0.4)
    await ear.stream.pause()
    await ear.stream.pause()
    assert await ear.finish() == "8"
    assert len(ear.recogniser.jobs) == 2


async def test_a_guess_after_a_pause_does_not_hide_the_next_pause() -> None:
    """Speech that a guess has already heard still belongs to the result."""
    ear = Ear()
    await ear.push(0.4)
    await ear.stream.pause()
    await ear.push(0.5)
    assert ear.partials == ["4", "9"]
    await ear.stream.pause()
    assert await ear.finish() == "9"


async def test_much_audio_after_the_last_pause_is_recognised() -> None:
    """No silence within a turn is that long."""
    ear = Ear()
    await ear.push(0.4)
    await ear.stream.pause()
    await ear.push(3)
    assert await ear.finish() == "34"


async def test_a_long_utterance_becomes_text_in_segments() -> None:
    """At most 15 s are kept, and all of it is recognised."""
    ear = Ear()
    await ear.push(40)
    heard = [int(part) for part in (await ear.finish()).split()]
    assert sum(heard) == pytest.approx(400, abs=5)
    assert max(ear.recogniser.heard) <= LONGEST_BYTES


async def test_a_recogniser_that_falls_behind_holds_the_caller_back() -> None:
    """Memory stays bounded: the second segment waits for the first."""
    ear = Ear(at_once=False)
    ear.recogniser.busy = True
    pushing = asyncio.create_task(ear.stream.push(bytes(40 * S)), name="push")
    for _ in range(10):
        await asyncio.sleep(0)
    assert not pushing.done()
    assert len(ear.recogniser.jobs) == 1
    ear.recogniser.at_once = True
    ear.recogniser.answer(0)
    await pushing
    assert await ear.finish()


async def test_old_results_do_not_reach_a_new_utterance() -> None:
    """What was decoded for an utterance that is over is not reported."""
    ear = Ear(at_once=False)
    await ear.push(0.6)
    await ear.stream.pause()
    await ear.stream.discard()
    await ear.push(0.1)
    await asyncio.sleep(0)
    assert ear.partials == []
    assert all(job.cancelled() for job in ear.recogniser.jobs)


async def test_a_failed_recognition_is_told_by_finish() -> None:
    """And the next utterance is heard again."""
    ear = Ear(at_once=False)
    await ear.push(0.1)
    await ear.stream.pause()
    ear.recogniser.jobs[0].set_exception(PipelineError("stt"))
    with pytest.raises(PipelineError):
        await ear.finish()
    ear.recogniser.at_once = True
    await ear.push(0.2)
    assert await ear.finish() == "2"


async def test_the_repr_shows_what_is_kept() -> None:
    """For whoever debugs."""
    ear = Ear()
    await ear.push(0.5)
    assert repr(ear.stream) == "<UtteranceStream 0 segments and 0.50 s>"

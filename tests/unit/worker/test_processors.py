"""The user's audio processors: in their order, at their stages, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from voicebackend.errors import InvalidConfig
from voicebackend.hooks import Stage
from worker.processors import COOL_DOWN_S, MAX_FAILURES, Processors

AUDIO = b"\x01\x02" * 320
"""20 ms."""


@dataclass
class Processor:
    """A processor that does what it is told."""

    name: str
    order: int
    act: Callable[[bytes], Any]
    stages: Iterable[Any] | None = None
    calls: list[Mapping[str, Any]] = field(default_factory=list)

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Do it."""
        self.calls.append(metadata)
        found = self.act(audio)
        return await found if isinstance(found, Awaitable) else found  # type: ignore[no-any-return]


class PlainProcessor(Processor):
    """One whose method is no coroutine function."""

    def process(self, audio: bytes, metadata: Mapping[str, Any]) -> Any:  # type: ignore[override]  # on purpose
        """Do it at once."""
        return self.act(audio)


def fails(audio: bytes) -> bytes:
    """Raise."""
    raise ValueError


async def slow(audio: bytes, seconds: float = 0.011) -> bytes:
    """Take longer than half of the 20 ms."""
    await asyncio.sleep(seconds)
    return audio


async def run(*processors: Processor, times: int = 1, stage: Stage = Stage.PRE_STT) -> bytes:
    """Send a frame through."""
    chain, out = Processors(processors, "s"), b""
    for _ in range(times):
        out = await chain.process(AUDIO, stage=stage, sample_rate=16_000)
    return out


async def test_lower_order_runs_earlier() -> None:
    """However they were listed."""
    later, earlier = Processor("b", 2, lambda pcm: pcm + b"bb"), Processor("a", 1, lambda pcm: pcm + b"aa")
    assert await run(later, earlier) == AUDIO + b"aabb"
    assert later.calls == [{"stage": "pre_stt", "direction": "in", "sample_rate": 16_000, "session_id": "s"}]


@pytest.mark.parametrize(
    ("stage", "direction"),
    [(Stage.PRE_STT, "in"), (Stage.POST_TTS, "out"), (Stage.PRE_S2S, "in"), (Stage.POST_S2S, "out")],
)
async def test_a_processor_runs_at_the_stages_that_it_names(stage: Stage, direction: str) -> None:
    """At all of them if it names none; enum members and names will do."""
    everywhere, here = Processor("all", 1, bytes), Processor("here", 2, bytes, stages={stage})
    elsewhere = Processor("elsewhere", 3, fails, stages=[str(other) for other in Stage if other is not stage])
    assert await run(everywhere, here, elsewhere, stage=stage) == AUDIO
    assert [call["direction"] for call in everywhere.calls + here.calls] == [direction, direction]
    assert elsewhere.calls == []


@pytest.mark.parametrize("stages", ["pre_stt", ["pre_tts"], [], 7, [[]]])
def test_stages_that_do_not_exist_are_refused_when_the_session_opens(stages: Any) -> None:
    """The error lists those that do."""
    with pytest.raises(InvalidConfig, match="pre_stt, post_tts, pre_s2s, post_s2s"):
        Processors([Processor("lost", 1, bytes, stages=stages)], "s")


@pytest.mark.parametrize(
    "act",
    [
        fails,
        lambda pcm: None,
        lambda pcm: "text",
        lambda pcm: pcm[:3],
        lambda pcm: pcm * 100,
        lambda pcm: asyncio.sleep(60),
    ],
    ids=["raises", "None", "text", "half a sample", "two seconds too many", "hangs"],
)
async def test_a_processor_that_fails_is_passed_by(act: Callable[[bytes], Any]) -> None:
    """The audio goes on as it was, through the others too."""
    assert await run(Processor("bad", 1, act), Processor("good", 2, lambda pcm: pcm + b"ok")) == AUDIO + b"ok"


async def test_a_plain_method_may_process_too_and_is_passed_by_when_it_raises() -> None:
    """Nothing need be awaited."""
    good, bad = PlainProcessor("good", 1, lambda pcm: pcm + b"ok"), PlainProcessor("bad", 2, fails)
    assert await run(good, bad) == AUDIO + b"ok"


@pytest.mark.looptime
async def test_a_processor_that_keeps_failing_rests_and_gets_another_chance() -> None:
    """Three failures in a row, 10 s of rest, one try; when that goes well it is back for good."""
    well = False
    bad = Processor("bad", 1, lambda pcm: pcm + b"ok" if well else fails(pcm))
    chain = Processors([bad], "s")

    async def hear(times: int) -> bytes:
        return b"".join([await chain.process(AUDIO, stage=Stage.PRE_STT, sample_rate=16_000) for _ in range(times)])

    assert await hear(10) == AUDIO * 10
    assert len(bad.calls) == MAX_FAILURES
    await asyncio.sleep(COOL_DOWN_S)
    await hear(10)
    assert len(bad.calls) == MAX_FAILURES + 1
    await asyncio.sleep(COOL_DOWN_S)
    well = True
    assert await hear(10) == (AUDIO + b"ok") * 10


async def test_a_success_forgives() -> None:
    """Failures count in a row only."""
    outcomes = [True, True, False] * 3

    def sometimes(pcm: bytes) -> bytes:
        if outcomes.pop(0):
            raise ValueError
        return pcm

    moody = Processor("moody", 1, sometimes)
    await run(moody, times=9)
    assert len(moody.calls) == 9


@dataclass
class Counter:
    """A metric that is read."""

    added: list[Mapping[str, str]] = field(default_factory=list)

    def add(self, amount: int, labels: Mapping[str, str]) -> None:
        """Count."""
        self.added += [labels] * amount


@pytest.mark.looptime
async def test_a_processor_that_takes_more_than_half_of_real_time_rests(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """11 ms for frames of 20 ms: told after a second of audio, in the log and in a metric, and not asked again."""
    metric, laggard = Counter(), Processor("laggard", 1, slow)
    monkeypatch.setattr("worker.processors.processors_passed_by", metric)
    await run(laggard, times=200)
    assert len(laggard.calls) == 50
    assert metric.added == [{"processor": "laggard", "why": "overrun"}]
    assert [record.message for record in caplog.records] == ["processor rests"]


@pytest.mark.looptime
async def test_a_long_piece_of_audio_may_take_longer() -> None:
    """Time is allowed by what the audio lasts: a second for two of speech is in time."""
    speech = AUDIO * 100
    patient = Processor("patient", 1, lambda pcm: slow(pcm[:2], 0.9))
    assert await Processors([patient], "s").process(speech, stage=Stage.POST_TTS, sample_rate=16_000) == speech[:2]


async def test_one_session_does_not_suffer_from_anothers_failures() -> None:
    """Each has breakers of its own, though they share the processor."""
    shared = Processor("shared", 1, fails)
    await run(shared, times=10)
    await run(shared, times=10)
    assert len(shared.calls) == 2 * MAX_FAILURES


async def test_order_is_kept_when_a_processor_comes_and_goes() -> None:
    """Every frame comes out once, in the order in which it came in, changed or not."""
    count = 0

    def every_other(pcm: bytes) -> bytes:
        nonlocal count
        count += 1
        return fails(pcm) if count % 2 else pcm

    chain = Processors([Processor("moody", 1, every_other)], "s")
    frames = [index.to_bytes(2, "little") * 320 for index in range(50)]
    assert [await chain.process(pcm, stage=Stage.PRE_S2S, sample_rate=16_000) for pcm in frames] == frames

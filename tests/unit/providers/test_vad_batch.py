"""Windows of many sessions in one model call: each gets its own answer."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from voices import recordings

from providers.engines.vad.batch import MAX_BATCH, Batch, Floats
from providers.registry import VAD
from voicebackend.audio import AudioFormat

FRAME_BYTES = AudioFormat().frame_bytes


class Model:
    """Answers with the first sample, and adds one to the state; remembers how many windows came together."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def run(self, windows: Floats, states: Floats) -> tuple[Floats, Floats]:
        """Answer."""
        self.calls.append(len(windows))
        return windows[:, :1], states + 1


def window(number: int) -> tuple[Floats, Floats]:
    """Return a window and a state that carry a number."""
    return np.full(4, number, np.float32), np.full((2, 1, 3), number, np.float32)


async def test_what_is_asked_in_the_same_moment_is_answered_together() -> None:
    """In calls of bounded size, to each its own."""
    model = Model()
    batch = Batch(model.run)
    found = await asyncio.gather(*(batch.ask(*window(number)) for number in range(MAX_BATCH + 3)))
    assert [output for output, _ in found] == list(range(MAX_BATCH + 3))
    assert all((state == number + 1).all() and state.shape == (2, 1, 3) for number, (_, state) in enumerate(found))
    assert model.calls == [MAX_BATCH, 3]


async def test_what_is_asked_later_is_answered_later() -> None:
    """Nobody waits for who has not asked."""
    model = Model()
    batch = Batch(model.run)
    await batch.ask(*window(1))
    await batch.ask(*window(2))
    assert model.calls == [1, 1]


async def test_a_model_that_fails_fails_everyone_who_asked_and_nobody_later() -> None:
    """The error is the model's own."""
    broken, model = [True], Model()

    def run(windows: Floats, states: Floats) -> tuple[Floats, Floats]:
        if broken.pop():
            raise ValueError("model")
        return model.run(windows, states)

    batch = Batch(run)
    asked = [batch.ask(*window(number)) for number in range(2)]
    asked[0].cancel()
    with pytest.raises(ValueError, match="model"):
        await asked[1]
    broken.append(False)
    assert (await batch.ask(*window(7)))[0] == 7


async def test_silero_hears_the_same_alone_and_among_others() -> None:
    """Every recording at once, frame by frame, beside each one by itself."""
    engine = VAD.create("silero", {})
    await engine.open()

    async def together(pcm: bytes) -> list[float]:
        stream, found = engine.stream(), list[float]()
        for start in range(0, len(pcm), FRAME_BYTES):
            found += await stream.judge(pcm[start : start + FRAME_BYTES])
        return found

    voices = [recording.pcm for recording in recordings()]
    heard = await asyncio.gather(*map(together, voices))
    alone = [engine.stream().process(pcm) for pcm in voices]
    await engine.aclose()
    for ours, theirs in zip(heard, alone, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)

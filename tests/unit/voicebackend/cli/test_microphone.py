"""The microphone that is fed from recordings, in virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from voicebackend.cli.microphone import Microphone

LOUD, SOFT = bytes([0, 64]) * 320, bytes([1, 0]) * 320
"""20 ms each at 16 kHz."""


@pytest.mark.looptime
async def test_speech_goes_out_in_real_time_between_silences() -> None:
    """A frame every 20 ms; the last with a voice in it is noted; what is shorter than a frame is filled up."""
    sent: list[tuple[float, bytes]] = []
    loop = asyncio.get_running_loop()

    async def send(frame: bytes) -> None:
        sent.append((loop.time(), frame))

    microphone = Microphone(16000, send)
    running = asyncio.create_task(microphone.run())
    try:
        await asyncio.sleep(0.05)
        await microphone.say(LOUD + LOUD + SOFT + LOUD[:100])
        await asyncio.sleep(0.05)
    finally:
        running.cancel()
    frames = [frame for _, frame in sent]
    silence = bytes(640)
    assert frames == [silence, silence, LOUD, LOUD, SOFT, LOUD[:100] + bytes(540), silence, silence]
    steps = [round(later - earlier, 6) for (earlier, _), (later, _) in itertools.pairwise(sent)]
    assert steps == [0.02] * 7
    assert microphone.last_voiced == pytest.approx(sent[5][0])
    assert bytes(microphone.recorded) == b"".join(frames)

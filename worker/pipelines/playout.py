"""One turn's audio on its way to the caller: cut into frames and paced."""

from __future__ import annotations

import asyncio
import time

from voicebackend.audio import SAMPLE_BYTES, FrameCutter
from voicebackend.interfaces import TransportLink
from worker.pipelines.pacing import Pacer


class Playout:
    """Writes at most ``pacing.AHEAD_S`` ahead of the caller's ear."""

    def __init__(self, link: TransportLink, turn: int) -> None:
        self._link, self._turn, self._rate = link, turn, link.sample_rate
        self._cutter, self._pacer = FrameCutter(self._rate), Pacer()
        self._stopped = False

    async def write(self, pcm: bytes) -> None:
        """Send audio of the caller's rate, as it becomes due; a rest shorter than a frame waits for more."""
        for frame in self._cutter.push(pcm):
            await self._send(frame)

    async def flush(self) -> None:
        """Send the rest."""
        rest = self._cutter.flush()
        if rest:
            await self._send(rest)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def played(self) -> None:
        """Return when all that was sent has been played."""
        if not self._stopped:
            await asyncio.sleep(self._pacer.remaining(time.monotonic()))

    def played_ms(self) -> float:
        """Return the milliseconds that have been played by now, by the pace at which they were sent."""
        return max(0.0, self._pacer.sent_s - self._pacer.remaining(time.monotonic())) * 1000

    async def _send(self, frame: bytes) -> None:
        delay = self._pacer.delay(time.monotonic())
        if delay > 0 and not self._stopped:
            await asyncio.sleep(delay)
        if self._stopped:
            return
        self._link.play(self._turn, frame)
        self._pacer.sent(len(frame) / SAMPLE_BYTES / self._rate, time.monotonic())

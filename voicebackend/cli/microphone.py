"""A microphone that is fed from recordings: a frame every 20 ms, silence between the words, never faster than time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from voicebackend.audio import FRAME_MS, AudioFormat, FrameCutter, level_dbfs

QUIET_DB = 30.0
"""Decibels below a recording's loudest frame from which nothing is said."""


class Microphone:
    """Sends what ``say`` gives it, and silence otherwise, until cancelled."""

    def __init__(self, sample_rate: int, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._rate, self._send = sample_rate, send
        self._silence = AudioFormat(sample_rate=sample_rate).silence(FRAME_MS / 1000)
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._drained = asyncio.Event()
        self.recorded = bytearray()
        """Everything sent, from ``started`` on."""
        self.started = 0.0
        """The event loop's time at which the first frame begins."""
        self.last_voiced = 0.0
        """The event loop's time at which the last frame with a voice in it was sent."""

    async def run(self) -> None:
        """Send a frame every 20 ms: each when it has been spoken to its end."""
        loop = asyncio.get_running_loop()
        self.started, count = loop.time(), 0
        while True:
            count += 1
            await asyncio.sleep(self.started + count * FRAME_MS / 1000 - loop.time())
            frame, voiced = self._waiting.popleft() if self._waiting else (self._silence, False)
            await self._send(frame)
            self.recorded += frame
            if voiced:
                self.last_voiced = loop.time()
            if not self._waiting:
                self._drained.set()

    async def say(self, pcm: bytes) -> None:
        """Speak a recording; returns when its last frame is sent."""
        cutter = FrameCutter(self._rate)
        frames = cutter.push(pcm)
        rest = cutter.flush()
        if rest:
            frames.append(rest + self._silence[len(rest) :])
        levels = [level_dbfs(frame) for frame in frames]
        quiet = max(levels, default=0.0) - QUIET_DB
        self._waiting.extend((frame, level > quiet) for frame, level in zip(frames, levels, strict=True))
        self._drained.clear()
        await self._drained.wait()

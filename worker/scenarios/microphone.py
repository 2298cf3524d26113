"""The microphone of the caller's phone: 20 ms after 20 ms, whether somebody speaks or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, resample, to_pcm, to_samples

FRAME_S = FRAME_MS / 1000


@dataclass(slots=True)
class Sound:
    """Something at the caller's; ``done`` is set when all of it has been sent."""

    pcm: bytes
    """At the phone's rate."""
    on_start: Callable[[], object] = lambda: None
    at: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Microphone:
    """Adds up what sounds at the same time."""

    def __init__(self, rate: int, send: Callable[[bytes], None]) -> None:
        self._rate, self._send = rate, send
        self._bytes = round(rate * FRAME_S) * SAMPLE_BYTES
        self._sounds: list[Sound] = []
        self.lost_until = 0.0
        """Until then the network loses everything."""

    def sound(self, pcm: bytes, on_start: Callable[[], object]) -> Sound:
        """Let 16 kHz audio be heard, from the next frame on."""
        sound = Sound(pcm=resample(pcm, PIPELINE_RATE, self._rate), on_start=on_start)
        self._sounds.append(sound)
        return sound

    async def run(self) -> None:
        """Send frame after frame."""
        clock, ticks = asyncio.get_running_loop().time, 0
        start = clock()
        while True:
            taken = [(sound, self._next(sound)) for sound in self._sounds]
            ticks += 1
            await asyncio.sleep(start + ticks * FRAME_S - clock())
            if clock() >= self.lost_until:
                self._send(self._mixed([pcm for _, pcm in taken]))
            for sound, _ in taken:
                if sound.at >= len(sound.pcm):
                    self._sounds.remove(sound)
                    sound.done.set()

    def _next(self, sound: Sound) -> bytes:
        if sound.at == 0:
            sound.on_start()
        piece = sound.pcm[sound.at : sound.at + self._bytes]
        sound.at += self._bytes
        return piece

    def _mixed(self, pieces: list[bytes]) -> bytes:
        if len(pieces) == 1 and len(pieces[0]) == self._bytes:
            return pieces[0]
        whole = [piece.ljust(self._bytes, b"\0") for piece in pieces]
        return (
            to_pcm(np.sum([to_samples(piece).astype(np.float64) for piece in whole], axis=0))
            if whole
            else bytes(self._bytes)
        )

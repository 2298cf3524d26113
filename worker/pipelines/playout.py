"""One turn's audio on its way to the caller: cut into frames, paced, held, dropped; and how much of it was heard."""

from __future__ import annotations

import asyncio
from collections import deque

from voicebackend.audio import SAMPLE_BYTES, AudioFormat, FrameCutter
from voicebackend.events import AudioStart, Clear, Pause, Resume
from voicebackend.interfaces import TransportLink
from worker.pipelines.pacing import Pacer, Stretch
from worker.pipelines.resumption import Resumption

BATCH_FRAMES = 5
"""Frames sent at once: a wake-up and a message for each would cost more than the audio."""
RECENT_S = 1.0
"""Seconds of audio kept to be sent again to a caller who comes back: more than may be on their way."""
REPORT_S = 0.4
"""Seconds that the gateway has to say how much was heard; then the pace of sending tells."""


class Playout:
    """Writes at most ``pacing.AHEAD_S`` ahead of the caller's ear."""

    def __init__(self, link: TransportLink, turn: int, resumed: Resumption | None = None) -> None:
        self.turn = turn
        self._link, self._rate = link, link.sample_rate
        self._loop = asyncio.get_running_loop()
        self._cutter, self._pacer = FrameCutter(self._rate), Pacer()
        self._runs, self._told = asyncio.Event(), asyncio.Event()
        self._runs.set()
        self._told_ms: float | None = None
        self._cleared = False
        self._recent = bytearray()
        self._due: deque[bytes] = deque()
        """Audio to be sent, in its order."""
        self._base_ms = 0.0
        if resumed is not None:
            self._resume(resumed)

    def _resume(self, resumed: Resumption) -> None:
        """Go on behind what another worker sent."""
        now = self._loop.time()
        self._base_ms = resumed.snapshot.base_ms
        ends_at = now + (resumed.received_ms - resumed.played_ms) / 1000
        self._pacer = Pacer(resumed.received_ms / 1000, ends_at, resumed.snapshot.stretches)
        if resumed.held:
            self.hold()  # says it again: else the caller's side would go on by itself

    def __repr__(self) -> str:
        return f"<Playout of turn {self.turn} [{self.sent_ms:.0f} ms sent{', held' if self.held else ''}]>"

    @property
    def sent_ms(self) -> float:
        """Milliseconds sent so far."""
        return self._pacer.sent_s * 1000

    @property
    def base_ms(self) -> float:
        """Milliseconds that were played over earlier sockets of the caller."""
        return self._base_ms

    @property
    def held(self) -> bool:
        """Whether it stands still."""
        return self._pacer.held

    async def write(self, pcm: bytes) -> None:
        """Send audio of the caller's rate, as it becomes due; a rest shorter than a frame waits for more."""
        frames = self._cutter.push(pcm)
        for at in range(0, len(frames), BATCH_FRAMES):
            await self._send(b"".join(frames[at : at + BATCH_FRAMES]))

    async def flush(self) -> None:
        """Send the rest."""
        rest = self._cutter.flush()
        if rest:
            await self._send(rest)

    def hold(self) -> None:
        """Let the caller's side stand still where it is."""
        if self.held or self._cleared:
            return
        self._pacer.hold(self._loop.time())
        self._runs.clear()
        self._told.clear()
        self._link.event(Pause(turn=self.turn))

    def resume(self) -> None:
        """Go on where it stopped."""
        if not self.held or self._cleared:
            return
        self._pacer.resume(self._loop.time())
        self._runs.set()
        self._link.event(Resume(turn=self.turn))

    def again(self) -> None:
        """Play to another socket of the same caller: what the one before had not played yet is sent once more."""
        sent_s = self._pacer.sent_s
        self._base_ms = self._pacer.rewind(self._loop.time()) * 1000
        missed = round((sent_s - self._base_ms / 1000) * self._rate) * SAMPLE_BYTES
        if missed > 0:
            size = AudioFormat(sample_rate=self._rate).frame_bytes * BATCH_FRAMES
            late = bytes(self._recent[-missed:])
            self._due.extendleft(reversed([late[at : at + size] for at in range(0, len(late), size)]))
            self._recent.clear()
        if self._due or sent_s:
            self._link.event(AudioStart(turn=self.turn))

    def clear(self) -> None:
        """Drop what was not yet played, and send nothing more."""
        if self._cleared:
            return
        if not self.held:
            self._pacer.hold(self._loop.time())
            self._told.clear()
        self._cleared = True
        self._runs.set()
        self._link.event(Clear(turn=self.turn))

    def told(self, ms: float, *, final: bool) -> None:
        """Take the gateway's report of how much was heard; ``final`` when it stands still."""
        self._told_ms = self._base_ms + ms
        if final and self.held:
            self._told.set()

    async def heard_ms(self) -> float:
        """Return the milliseconds that were heard, once it stands still: as reported, else by the pace of sending."""
        try:
            async with asyncio.timeout(REPORT_S if self._pacer.sent_s else 0):
                await self._told.wait()
        except TimeoutError:
            return self.played_ms()
        return min(self._told_ms or 0.0, self.sent_ms)

    async def played(self) -> None:
        """Return when all that was sent has been played."""
        while not self._cleared and (self._due or self.held or self.remaining_s() > 0):
            if self.held:
                await self._runs.wait()
            elif self._due:
                await self._drain()
            else:
                await asyncio.sleep(self.remaining_s())

    def remaining_s(self) -> float:
        """Return the seconds of what was sent that are still to be played."""
        return self._pacer.remaining(self._loop.time())

    def played_ms(self) -> float:
        """Return the milliseconds that have been played by now, by the pace at which they were sent."""
        return self._pacer.played_s(self._loop.time()) * 1000

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Return where it began to run each time: seconds of its audio, and of the loop's clock."""
        return self._pacer.stretches

    def heard_at(self, ms: float) -> float | None:
        """Return when a place of its audio was heard, by the pace of sending; None if nothing was sent."""
        return self._pacer.heard_at(ms / 1000)

    async def _send(self, pcm: bytes) -> None:
        self._due.append(pcm)
        await self._drain()

    async def _drain(self) -> None:
        """Send what is due once it may go; what is to be sent again comes before it."""
        while self._due:
            await self._may_go()
            if self._cleared:
                self._due.clear()
                return
            pcm = self._due.popleft()
            self._recent += pcm
            del self._recent[: -round(RECENT_S * self._rate) * SAMPLE_BYTES]
            self._link.play(self.turn, pcm)
            self._pacer.sent(len(pcm) / SAMPLE_BYTES / self._rate, self._loop.time())

    async def _may_go(self) -> None:
        await self._runs.wait()
        while not self._cleared and (delay := self._pacer.delay(self._loop.time())) > 0:
            await asyncio.sleep(delay)
            await self._runs.wait()

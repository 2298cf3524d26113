"""The caller's phone, which really plays what it is sent, and the way there.

It is what ``control/gateway/caller.py`` is made of: the playout clock, and reports of what was heard.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from scripted_engines import text_of

from voicebackend import playout
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.events import Message
from voicebackend.heard import HeardReports
from voicebackend.interfaces import TransportLink


def later(seconds: float) -> Callable[[Callable[[], None]], None]:
    """Return a way that takes so long and keeps the order."""
    waiting: deque[Callable[[], None]] = deque()
    loop = asyncio.get_running_loop()

    def send(act: Callable[[], None]) -> None:
        if seconds == 0:
            act()
            return
        waiting.append(act)
        loop.call_later(seconds, lambda: waiting.popleft()())  # noqa: PLW0108 - the one that waits then

    return send


class Phone:
    """Plays what has come, obeys pause and clear at once, and says how much it played, if it is of that kind."""

    def __init__(self, report: Callable[[int, float, bool], None] | None) -> None:
        self._report, self._clock = report, asyncio.get_running_loop().time
        self._buffer: deque[tuple[int, bytes]] = deque()
        self._now, self._turn, self._paused = self._clock(), 0, -1
        self.played: dict[int, bytearray] = {}
        self._before: dict[int, int] = {}
        """Bytes of each turn that were played over earlier sockets."""
        self.audible: list[tuple[float, int]] = []
        """When which turn began to be heard, or went on."""
        self.gaps: list[tuple[float, int]] = []
        """When a turn went on that had not been heard without a break."""
        self._dry: float | None = None
        self.stopped: list[tuple[float, str]] = []
        """When it was told to hold, drop or resume."""

    def take(self, item: bytes | str) -> None:
        """Take audio, or a message."""
        self.advance()
        if isinstance(item, bytes):
            self._buffer.append((self._turn, item))
            return
        message = json.loads(item)
        turn = message.get("turn", 0)
        match message["type"]:
            case "audio_start":
                self._turn = turn
            case "pause" | "clear" | "resume" as kind:
                self.stopped.append((self._now, kind))
                self._obey(kind, turn)

    def _obey(self, kind: str, turn: int) -> None:
        if kind == "pause":
            self._paused = turn
        elif self._paused == turn:
            self._paused = -1
        if kind == "clear":
            self._buffer = deque(item for item in self._buffer if item[0] != turn)
        if kind != "resume":
            self.tell(turn, stopped=True)

    def tell(self, turn: int | None = None, *, stopped: bool = False) -> None:
        """Say how much of a turn was played."""
        self.advance()
        turn = self._turn if turn is None else turn
        if self._report is not None and turn in self.played:
            played = len(self.played[turn]) - self._before.get(turn, 0)
            self._report(turn, played / SAMPLE_BYTES / PIPELINE_RATE * 1000, stopped)

    def advance(self) -> None:
        """Play until now."""
        now = self._clock()
        while self._buffer and self._buffer[0][0] != self._paused:
            turn, pcm = self._buffer.popleft()
            size = min(len(pcm), round((now - self._now) * PIPELINE_RATE) * SAMPLE_BYTES)
            if size < len(pcm):
                self._buffer.appendleft((turn, pcm[size:]))
            if not size:
                break
            if not self.audible or self.audible[-1][1] != turn:
                self.audible.append((self._now, turn))
            elif self._dry is not None and self._now - self._dry > 1e-3:
                self.gaps.append((self._now, turn))
            self._dry = None
            self.played.setdefault(turn, bytearray()).extend(pcm[:size])
            self._now += size / SAMPLE_BYTES / PIPELINE_RATE
        if not self._buffer or self._buffer[0][0] == self._paused:
            self._dry = self._now if self._dry is None else self._dry
            self._now = now

    @property
    def bytes_played(self) -> int:
        """Bytes of all turns that were heard."""
        self.advance()
        return sum(map(len, self.played.values()))

    def reset(self) -> None:
        """Forget what was not played yet: the socket is another."""
        self.advance()
        self._buffer.clear()
        self._paused = -1
        self._before = {turn: len(pcm) for turn, pcm in self.played.items()}

    @property
    def ahead_s(self) -> float:
        """Seconds of audio that wait to be played."""
        self.advance()
        return sum(len(pcm) for _, pcm in self._buffer) / SAMPLE_BYTES / PIPELINE_RATE

    def heard(self, turn: int, share: float = 0.66) -> str:
        """Return what was heard of a turn; the last letter counts if so much of it was."""
        self.advance()
        return text_of(bytes(self.played.get(turn, b"")), share)


class Line(TransportLink):
    """The way to the phone and back, with the gateway's playout clock on it."""

    def __init__(self, *, lane_s: float = 0.0, air_s: float = 0.0, reports: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._down, self._up, self._air_down, self._air_up = later(lane_s), later(lane_s), later(air_s), later(air_s)
        self._playout, self._reports = playout.Playout(PIPELINE_RATE), HeardReports(self._told)
        self.phone = Phone(self._said if reports else None)
        self.events: list[tuple[float, Message]] = []
        self.on_played: Callable[..., None] = lambda turn, ms, final: None
        self.attached = True
        self._socket = 0
        self._alarm: asyncio.TimerHandle | None = None

    def play(self, turn: int, pcm: bytes) -> None:
        """Send agent audio."""
        if self.attached:
            self._down(self._to_socket(lambda: self._playout.push_audio(turn, pcm)))

    def event(self, message: Any) -> None:
        """Send an event."""
        self.events.append((self._loop.time(), message))
        if self.attached:
            self._down(self._to_socket(lambda: self._event(message)))

    def _to_socket(self, act: Callable[[], None]) -> Callable[[], None]:
        """Do this unless the socket is another by then."""
        socket = self._socket

        def arrive() -> None:
            if socket == self._socket:
                act()
                self._pump()

        return arrive

    def stall(self, seconds: float) -> None:
        """Let nothing through from the worker for a while; then all of it comes at once."""
        held: list[Callable[[], None]] = []
        down, self._down = self._down, held.append

        def release() -> None:
            self._down = down
            for act in held:
                down(act)

        self._loop.call_later(seconds, release)

    def lose(self) -> None:
        """Lose the socket, and all that is in the phone."""
        self.attached = False
        self._socket += 1
        self.phone.reset()
        self.close()
        self._playout, self._reports = playout.Playout(PIPELINE_RATE), HeardReports(self._told)

    def _event(self, message: Any) -> None:
        text, now, turn = message.to_json(), self._loop.time(), int(getattr(message, "turn", 0))
        match message.type:
            case "clear":
                self._playout.clear(turn, text, now)
                self._reports.stopped(turn, self._playout.played_ms(turn, now))
            case "pause":
                self._playout.pause(turn, text, now)
                self._reports.stopped(turn, self._playout.played_ms(turn, now))
            case "resume":
                self._playout.resume(turn, text, now)
                self._reports.resumed(turn)
            case _:
                self._playout.push_text(text)

    def _pump(self) -> None:
        now = self._loop.time()
        while (item := self._playout.due(now)) is not None:
            self._air_down(self._to_phone(item))
        for found in self._playout.heard(now):
            self._reports.reckoned(found.turn, found.ms)
            self._air_down(self.phone.tell)
        if self._alarm is not None:
            self._alarm.cancel()
        wait_s = self._playout.wait_s(now)
        self._alarm = None if wait_s is None else self._loop.call_later(max(wait_s, 0.001), self._pump)

    def _to_phone(self, item: bytes | str) -> Callable[[], None]:
        socket = self._socket
        return lambda: self.phone.take(item) if socket == self._socket else None

    def _said(self, turn: int, ms: float, stopped: bool) -> None:
        reports = self._reports
        self._air_up(lambda: reports.said(turn, ms, stopped=stopped) if reports is self._reports else None)

    def _told(self, turn: int, ms: float, *, estimated: bool, final: bool) -> None:
        del estimated
        socket = self._socket
        self._up(lambda: self.on_played(turn, ms, final=final) if socket == self._socket else None)

    def close(self) -> None:
        """Hang up."""
        self._reports.close()
        if self._alarm is not None:
            self._alarm.cancel()

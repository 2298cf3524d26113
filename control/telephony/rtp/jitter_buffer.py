"""A caller's audio put in order: what is late is waited for, what is lost is concealed. Pure; times in seconds.

Nobody listens to this audio in real time: recognisers take it as it comes. So what is in order goes on at once, without
the delay that a loudspeaker would need, and clocks that drift do no harm; only gaps are waited for, longer where the
network is uneven. While nothing comes at all, silence takes its place, or nobody would notice that the caller is done.
"""

from __future__ import annotations

from typing import NamedTuple

SHORTEST_S, LONGEST_S = 0.04, 0.2
"""Seconds for which a gap is waited for, at least and at most."""
RATE = 8000
"""Samples a second, a byte each."""
FILL = 160
"""Bytes of silence at a time: 20 ms."""
MAX_WAITING = 50
"""Packets behind a gap; then it is not waited for."""
MAX_JUMP = 1000
"""Numbers between two packets of one stream; it has begun anew where two in a row are farther away."""
MAX_CONCEALED = RATE
"""Bytes: after a longer gap the stream just goes on."""


class _Waiting(NamedTuple):
    timestamp: int
    payload: bytes
    arrived: float


class JitterBuffer:
    """One stream's. ``push`` what arrives, in any order; ``pull`` what is ready, each sample once."""

    def __init__(self, silence: bytes) -> None:
        """``silence`` is one byte of it."""
        self._silence = silence
        self._waiting: dict[int, _Waiting] = {}
        """By number, in the order of arrival."""
        self._next: int | None = None
        """The number of the packet that is due, not wrapped."""
        self._restart: int | None = None
        self._timestamp = 0
        """That the next sample is to have."""
        self._filled = 0
        """Bytes of silence since the last packet."""
        self._heard: float | None = None
        self._last = b""
        self._is_lossy = False
        """Whether packets are missing before the one that is due: else who sends has just been silent."""
        self._transit: float | None = None
        self._jitter_s = 0.0
        self.lost = self.late = 0

    def __repr__(self) -> str:
        return f"<JitterBuffer [{len(self._waiting)} wait {self.patience_s * 1000:.0f} ms, {self.lost} lost]>"

    @property
    def patience_s(self) -> float:
        """Seconds for which a gap is waited for now."""
        return min(LONGEST_S, max(SHORTEST_S, 0.02 + 4 * self._jitter_s))

    def anew(self) -> JitterBuffer:
        """Return the buffer for a stream in the place of this one; what waits here is lost."""
        following = JitterBuffer(self._silence)
        following._heard = self._heard
        return following

    def push(self, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """Take a packet; an empty payload is one without audio that only has a number."""
        number = self._number(sequence)
        if number is None:
            return
        if self._next is None:
            self._next, self._timestamp = number, timestamp
        if number < self._next or number in self._waiting:
            self.late += number < self._next
            return
        self._waiting[number] = _Waiting(timestamp, payload, now)
        self._heard = now
        if payload:
            self._measure(timestamp, now)

    def pull(self, now: float) -> list[bytes]:
        """Return the audio that is ready."""
        ready: list[bytes] = []
        while self._waiting and self._next is not None:
            packet = self._waiting.pop(self._next, None)
            if packet is None:
                if not self._gives_up(now):
                    break
                first = min(self._waiting)
                self.lost += first - self._next
                self._next, self._is_lossy = first, True
                continue
            self._next += 1
            if packet.payload:
                self._release(packet, ready)
        return ready or self._fill(now)

    def _number(self, sequence: int) -> int | None:
        """Return a packet's number without its wrap; None for one that is far off, and may be a mistake."""
        if self._next is None:
            return sequence
        ahead = (sequence - self._next + 0x8000 & 0xFFFF) - 0x8000
        if abs(ahead) <= MAX_JUMP:
            self._restart = None
            return self._next + ahead
        if sequence != self._restart:
            self._restart = sequence + 1 & 0xFFFF
            return None
        self._waiting.clear()
        self._next = self._restart = self._transit = None
        return sequence

    def _gives_up(self, now: float) -> bool:
        """Tell whether what is missing was waited for long enough: since anything behind it came."""
        since = next(iter(self._waiting.values())).arrived
        return now - since >= self.patience_s or len(self._waiting) > MAX_WAITING

    def _release(self, packet: _Waiting, ready: list[bytes]) -> None:
        gap = (packet.timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        missing = gap - self._filled
        if 0 < missing <= MAX_CONCEALED:
            begin = self._last[:missing] if self._is_lossy and not self._filled else b""
            ready.append(begin + self._silence * (missing - len(begin)))
        ready.append(packet.payload)
        self._last, self._filled, self._is_lossy = packet.payload, 0, False
        self._timestamp = packet.timestamp + len(packet.payload) & 0xFFFFFFFF

    def _fill(self, now: float) -> list[bytes]:
        """Return silence if nothing has come for longer than it may be late: for all of that time."""
        if self._heard is None:
            self._heard = now
        missing = (now - self._heard) * RATE - FILL - self._filled
        if now - self._heard < LONGEST_S or missing < FILL:
            return []
        size = int(min(missing, LONGEST_S * RATE)) // FILL * FILL
        self._filled += size
        return [self._silence * size]

    def _measure(self, timestamp: int, now: float) -> None:
        """Follow how unevenly packets come (RFC 3550, section 6.4.1)."""
        transit = now - timestamp / RATE
        if self._transit is not None and abs(transit - self._transit) < 1:
            self._jitter_s += (abs(transit - self._transit) - self._jitter_s) / 16
        self._transit = transit

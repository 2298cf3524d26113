"""One caller's tape, and where it goes: on disk in parts, and only what may be kept."""

from __future__ import annotations

from pathlib import Path

from control.records import audio
from control.records.policy import Rule
from voicebackend.record import SessionRecord
from voicebackend.tape import RATE, Tape

PART_S = 600.0
"""Seconds of a part: what a long call has so far is in the store, and a part is small."""
_BYTES_S = RATE * audio.FRAME_BYTES


class Recorder:
    """Takes what is cut off the tape; nothing of it is written before ``begin`` and after ``stop``.

    Times are seconds since the epoch; ``began`` is the tape's beginning.
    """

    def __init__(self, tape: Tape, record: SessionRecord, rule: Rule, began: float) -> None:
        self.tape, self.record, self.rule = tape, record, rule
        self.spool: Path | None = None
        """The part's samples so far; None while nothing may be kept."""
        self.written = 0
        """Bytes of the part that are on disk."""
        self.waiting = b""
        """What could not be written yet."""
        self.since: float | None = None
        """From when on it may be kept, as far as is known; None while it may not."""
        self.unsure = 0.0
        """When it was last seen that nothing may be kept yet: consent is never older than that."""
        self._part_began = began

    @property
    def part_began(self) -> float:
        """When the part begins, or what waits while there is none."""
        return self._part_began

    @property
    def name(self) -> str:
        """The part's name, by its beginning in milliseconds since the session's."""
        return f"recording-{max(0, round((self._part_began - self.record.created_at) * 1000)):09}.flac"

    @property
    def is_whole(self) -> bool:
        """Tell whether the part is long enough."""
        return self.written >= PART_S * _BYTES_S

    def begin(self, spool: Path) -> None:
        """Begin a part with what waits."""
        self.spool = spool

    def stop(self) -> Path:
        """Write no more; return the part that was under way. What waits is where the next would begin."""
        if self.spool is None:
            raise RuntimeError("there is no part")
        stopped, self.spool = self.spool, None
        self._part_began += self.written / _BYTES_S
        self.written = 0
        return stopped

    def skip(self, until: float | None) -> None:
        """Throw away what waits from before a time, or all of it."""
        count = len(self.waiting)
        if until is not None:
            frames = max(0, round((until - self._part_began) * RATE))
            count = min(count, frames * audio.FRAME_BYTES)
        self.waiting = self.waiting[count:]
        self._part_began += count / _BYTES_S

    def spill(self, most: int) -> None:
        """Throw away the oldest that waits, as long as that is more than ``most`` bytes; between parts only."""
        count = max(0, len(self.waiting) - most)
        self.waiting = self.waiting[count:]
        self._part_began += count / _BYTES_S

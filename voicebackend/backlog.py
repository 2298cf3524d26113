"""What waits to be written to one stream: in order and bounded; what must go is the oldest audio. Pure."""

from __future__ import annotations

from collections import Counter, deque

from voicebackend.audio import MAX_RATE, PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.streams import MAX_BUNDLE, MAX_FRAMES, Frame, Kind

BUFFER_S = 6.0
"""Seconds of audio kept for each session while its stream cannot be written."""
MAX_STUCK_S = 30.0
"""Seconds that anything is kept for a stream that is not there: its owner would have made it anew long before."""
MAX_PENDING = 20_000
"""Frames kept for one stream; beyond, the oldest audio goes."""
AUDIO = frozenset({Kind.AUDIO_IN, Kind.AUDIO_OUT, Kind.PLAY})
_KEPT_BYTES = {
    Kind.AUDIO_IN: round(BUFFER_S * PIPELINE_RATE) * SAMPLE_BYTES,
    Kind.PLAY: round(BUFFER_S * PIPELINE_RATE) * SAMPLE_BYTES,
    Kind.AUDIO_OUT: round(BUFFER_S * MAX_RATE) * SAMPLE_BYTES,
}
"""Bytes of audio kept for each session; agent audio may be at the highest rate."""
_PROBE = 16
"""Frames in a write that may well fail again."""
_FRAME_OVERHEAD = 64


class Backlog:
    """Frames for one stream. It is stuck from a write that failed to one that does not."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._kept: Counter[tuple[str, Kind]] = Counter()
        """Bytes of audio by session and kind, counted while stuck."""
        self._stuck_since: float | None = None
        self.dropped = 0
        """Frames given up."""

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"<Backlog [{len(self._frames)} frames{', stuck' if self.is_stuck else ''}, {self.dropped} dropped]>"

    @property
    def is_stuck(self) -> bool:
        """Tell whether the last write failed."""
        return self._stuck_since is not None

    def push(self, frame: Frame) -> None:
        """Add a frame."""
        if len(self._frames) >= MAX_PENDING:
            self._drop(next((index for index, old in enumerate(self._frames) if old.kind in AUDIO), 0))
        self._frames.append(frame)
        if self.is_stuck:
            self._count(frame)

    def take(self) -> list[Frame]:
        """Take as many frames from the head as fit in one bundle; few while stuck."""
        frames: list[Frame] = []
        size, limit = 0, _PROBE if self.is_stuck else MAX_FRAMES
        while self._frames and len(frames) < limit:
            size += len(self._frames[0].payload) + _FRAME_OVERHEAD
            if size > MAX_BUNDLE and frames:
                break
            frames.append(self._frames.popleft())
        if self.is_stuck:
            self._kept.subtract(_audio_bytes(frames))
        return frames

    def put_back(self, frames: list[Frame], now: float) -> bool:
        """Put what could not be written in its place again; ``now`` in seconds. Return whether that is news."""
        fresh, self._stuck_since = not self.is_stuck, now if self._stuck_since is None else self._stuck_since
        self._frames.extendleft(reversed(frames))
        if fresh:
            self._kept.clear()
        for frame in list(self._frames) if fresh else frames:
            self._count(frame)
        return fresh

    def wrote(self) -> None:
        """Note that a write went well."""
        self._stuck_since = None

    def give_up(self, now: float, *, after_s: float = MAX_STUCK_S) -> None:
        """Drop everything if it has been stuck for longer."""
        if self._stuck_since is not None and now - self._stuck_since >= after_s:
            self.dropped += len(self._frames)
            self._frames.clear()

    def _count(self, frame: Frame) -> None:
        """Count a frame's audio, and drop the session's oldest if that is more than is kept."""
        if frame.kind not in AUDIO:
            return
        whose = (frame.session, frame.kind)
        self._kept[whose] += len(frame.payload)
        while self._kept[whose] > _KEPT_BYTES[frame.kind]:
            self._drop(next(index for index, old in enumerate(self._frames) if (old.session, old.kind) == whose))

    def _drop(self, index: int) -> None:
        self._kept.subtract(_audio_bytes([self._frames[index]]))
        del self._frames[index]
        self.dropped += 1


def _audio_bytes(frames: list[Frame]) -> Counter[tuple[str, Kind]]:
    found: Counter[tuple[str, Kind]] = Counter()
    for frame in frames:
        if frame.kind in AUDIO:
            found[(frame.session, frame.kind)] += len(frame.payload)
    return found

"""Caller audio that the pipeline has heard, kept as long as another one would have to hear it again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voicebackend.streams import EntryId, Frame

MAX_FRAMES = 1000
"""Kept at most: 20 s."""
LOOK_FRAMES = 50
"""Frames between two looks at what is still needed: 1 s."""


class HeardAudio:
    """One session's; numbers count the frames that were given to the pipeline, from 1."""

    def __init__(self, needed_from: Callable[[], int]) -> None:
        """``needed_from`` returns the number of the first frame that another pipeline would have to hear."""
        self._needed_from = needed_from
        self._frames: deque[tuple[Frame, EntryId]] = deque(maxlen=MAX_FRAMES)
        self._number = 0  # of the last

    def note(self, frame: Frame, entry: EntryId) -> None:
        """Take the next frame."""
        self._number += 1
        self._frames.append((frame, entry))
        if self._number % LOOK_FRAMES == 0:
            needed = self._number + 1 - self._needed_from()
            while len(self._frames) > max(0, needed):
                self._frames.popleft()

    def after(self, attachment: int, seq: int) -> list[tuple[Frame, EntryId]]:
        """Return the frames of a socket behind this number of its own."""
        return [(frame, entry) for frame, entry in self._frames if frame.attachment == attachment and frame.seq > seq]

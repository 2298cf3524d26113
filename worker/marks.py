"""Where caller audio lies in its lane, by the number under which it was given to the ear. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from voicebackend.streams import EntryId

MAX_MARKS = 1000
"""Frames whose place is known: 20 s, more than a lane keeps."""


class Mark(NamedTuple):
    """One frame of caller audio."""

    number: int
    entry: EntryId
    seq: int


class Marks:
    """One session's."""

    def __init__(self) -> None:
        self._marks: deque[tuple[EntryId, int]] = deque(maxlen=MAX_MARKS)
        self._number = 0  # of the last

    def note(self, entry: EntryId, seq: int) -> None:
        """Take the place of the next frame."""
        self._number += 1
        self._marks.append((entry, seq))

    def of(self, number: int) -> Mark | None:
        """Return the place of a frame, of the oldest known if it is older; None if it has not come."""
        if not self._marks or number > self._number:
            return None
        first = self._number - len(self._marks) + 1
        place = max(0, number - first)
        return Mark(first + place, *self._marks[place])

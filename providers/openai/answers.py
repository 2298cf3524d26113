"""The model's answers, one after the other: what has come of each, and what to do when one is cut short; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent

_CHARACTERS_PER_MS = 0.015
"""Of speech, where its length is not known yet."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something for the stream's reader; of an answer, if it belongs to one."""

    event: S2sEvent
    answer: Answer | None = None

    @property
    def is_end(self) -> bool:
        """Whether it is the end of an answer."""
        return self.event.kind == "turn_done"

    @property
    def is_unwanted(self) -> bool:
        """Whether it is part of an answer that was interrupted: its end alone is told."""
        return self.answer is not None and self.answer.was_cut and not self.is_end


@dataclass(slots=True, eq=False)
class Answer:
    """One of the model's, or a text that it was given to say."""

    id: str
    """The vendor's; empty for a text."""
    text: str = ""
    """Of one that it was given."""
    item_id: str = ""
    """Under which the model remembers that."""
    items: dict[str, int] = field(default_factory=dict)
    """Bytes of audio that have come, by the vendor's item, in order."""
    odd: dict[str, bytes] = field(default_factory=dict)
    """Half of a sample, by the item whose audio goes on with its other half."""
    ended: bool = False
    """No more is told of it."""
    was_cut: bool = False
    """The caller has interrupted it."""
    was_read: bool = False
    """To its end, by the stream's reader."""
    held: deque[Told] = field(default_factory=deque)
    """What has come of it before those before it have ended."""

    def keep(self, played_ms: float, rate: int) -> dict[str, int]:
        """Return how many ms of each item were heard, by the audio that has come of it."""
        kept = {}
        for item, size in self.items.items():
            ms = size / SAMPLE_BYTES / rate * 1000
            kept[item] = int(min(max(played_ms, 0.0), ms))
            played_ms -= ms
        return kept

    def heard(self, played_ms: float, rate: int) -> str:
        """Return the part of a given text that was."""
        ms = sum(self.items.values()) / SAMPLE_BYTES / rate * 1000
        share = played_ms / ms * len(self.text) if self.ended and ms else played_ms * _CHARACTERS_PER_MS
        return self.text[: round(share)]


class Answers:
    """Hands on what comes of the oldest; of later ones, once that has ended."""

    def __init__(self) -> None:
        self._line: deque[Answer] = deque()
        self._last: Answer | None = None
        self._spoken_over: Answer | None = None

    def begin(self, answer: Answer) -> Answer:
        """Take another one."""
        self._line.append(answer)
        self._last = answer
        return answer

    def add(self, answer: Answer, event: S2sEvent) -> list[Told]:
        """Take more of one; return what is to be told now."""
        if answer.ended:
            return []
        told = Told(event, answer)
        if self._line[0] is answer:
            return [told]
        answer.held.append(told)
        return []

    def end(self, answer: Answer) -> list[Told]:
        """Take the end of one; return what is to be told now, of those after it as well."""
        if answer.ended:
            return []
        found = self.add(answer, S2sEvent(kind="turn_done"))
        answer.ended = True
        while self._line and self._line[0].ended:
            self._line.popleft()
            if self._line:
                found += self._line[0].held
                self._line[0].held.clear()
        return found

    def spoken_over(self) -> None:
        """Note that the caller begins to speak, over what was said last."""
        self._spoken_over = self._last

    def cut(self) -> Answer | None:
        """Return the answer that an interruption is of, None if there was none, or it was interrupted before."""
        found, self._spoken_over = self._spoken_over or self._last, None
        if found is None or found.was_cut:
            return None
        found.was_cut = True
        found.held.clear()
        return found

"""Texts without what tells who somebody is: found as it is written and as it is spoken, within bounds of time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from control.redaction.recogniser import Recogniser
from control.redaction.span import Label, Span, merged, replaced
from control.redaction.written_form import Written, addresses_written, numbers_written

WINDOW, OVERLAP = 4_000, 300
"""Characters that are looked at at once, and those of them that the next look has too."""
MAX_CHARACTERS = 500_000
"""Of one document; of a longer one nothing is kept."""
TIMEOUT_S = 8.0
"""Seconds for one document."""
_BETWEEN = " "


class TooMuch(Exception):
    """It is too long, or took too long: nothing of it may be kept."""


class Redactor:
    """Redacts texts, and counts what it found; for one thread at a time, and one document."""

    def __init__(self, recogniser: Recogniser, *, timeout_s: float = TIMEOUT_S) -> None:
        self._recogniser, self._until = recogniser, time.monotonic() + timeout_s
        self._left = MAX_CHARACTERS
        self.found: Counter[Label] = Counter()

    @property
    def name(self) -> str:
        """What finds it, with its version."""
        return self._recogniser.name

    def texts(self, pieces: Sequence[str]) -> list[str]:
        """Return texts that follow one another redacted: also what begins in one and goes on in the next.

        Raises:
            TooMuch: nothing of them may be kept.

        """
        spans = self.spans(_BETWEEN.join(pieces))
        self.found.update(span.label for span in spans)
        answer, start = [], 0
        for piece in pieces:
            end = start + len(piece)
            answer.append(replaced(piece, _within(spans, start, end)))
            start = end + len(_BETWEEN)
        return answer

    def spans(self, text: str) -> list[Span]:
        """Return what is to be taken out of a text, in order; raises TooMuch."""
        self._left -= len(text)
        if self._left < 0:
            raise TooMuch("too long")
        return merged(span for at, part in _windows(text) for span in self._find(part, at))

    def _find(self, text: str, at: int) -> Iterator[Span]:
        """Yield what is found in a window that begins there."""
        numbers = numbers_written(text)
        forms = [numbers] if numbers.text != text else []
        forms += addresses_written(numbers)
        for span in self._recognised(text):
            yield Span(at + span.start, at + span.end, span.label)
        for written in forms:
            for span in self._recognised(written.text):
                yield _said(written, span, at)

    def _recognised(self, text: str) -> list[Span]:
        if time.monotonic() > self._until:
            raise TooMuch("too slow")
        return self._recogniser.find(text)


def _said(written: Written, span: Span, at: int) -> Span:
    start, end = written.said(span.start, span.end)
    return Span(at + start, at + end, span.label)


def _windows(text: str) -> Iterator[tuple[int, str]]:
    for at in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        yield at, text[at : at + WINDOW]


def _within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """Return what of the spans lies in a piece, counted from its beginning."""
    parts = (Span(max(one.start, start) - start, min(one.end, end) - start, one.label) for one in spans)
    return [one for one in parts if one.start < one.end]

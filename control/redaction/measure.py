"""How much of what is marked in a file is found, and how much of what is found is marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from control.redaction.recogniser import Recogniser
from control.redaction.redactor import Redactor
from control.redaction.span import Label, Span

_MARK = re.compile(rf"<({'|'.join(Label)})>(.*?)</\1>")


@dataclass(slots=True)
class Figures:
    """What came of some lines."""

    marked: Counter[Label] = field(default_factory=Counter)
    """What there was to find."""
    missed: list[tuple[Label, str]] = field(default_factory=list)
    """What was not found whole: what it was, and the line as it was left."""
    found: int = 0
    wrong: list[str] = field(default_factory=list)
    """Lines in which something was taken out that is nobody's."""

    @property
    def recall(self) -> float:
        """Of what is marked, the share that was found whole."""
        return 1 - len(self.missed) / max(1, self.marked.total())

    @property
    def precision(self) -> float:
        """Of what was found, the share that is marked."""
        return 1 - len(self.wrong) / max(1, self.found)


def measure(lines: Iterable[str], recogniser: Recogniser, *, names: bool = False) -> Figures:
    """Redact lines in which ``<phone>…</phone>`` and the like mark what is to be found; names only if asked for."""
    figures = Figures()
    for line in lines:
        text, marked = _unmarked(line)
        spans = Redactor(recogniser).spans(text)
        wanted = [span for span in marked if names or span.label is not Label.NAME]
        figures.marked.update(span.label for span in wanted)
        figures.found += len(spans)
        for span in wanted:
            if not any(one.start <= span.start and span.end <= one.end for one in spans):
                figures.missed.append((span.label, line.strip()))
        for span in spans:
            if not any(one.start < span.end and span.start < one.end for one in marked):
                figures.wrong.append(line.strip())
    return figures


def _unmarked(line: str) -> tuple[str, list[Span]]:
    """Return a line without its marks, and where they were."""
    text, spans, at = "", [], 0
    for found in _MARK.finditer(line.rstrip("\n")):
        text += line[at : found.start()]
        spans.append(Span(len(text), len(text) + len(found[2]), Label(found[1])))
        text += found[2]
        at = found.end()
    return text + line[at:].rstrip("\n"), spans

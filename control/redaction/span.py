"""A part of a text that tells who somebody is, and what stands in its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    """What was found; it stands in brackets in the place of it. Of two that overlap the earlier here counts."""

    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    SSN = "ssn"
    IP = "ip"
    PHONE = "phone"
    NAME = "name"
    NUMBER = "number"
    """So many digits that they are somebody's or something's, whatever they are."""


_ORDER = {label: place for place, label in enumerate(Label)}


@dataclass(frozen=True, slots=True)
class Span:
    """From the character ``start`` up to ``end``."""

    start: int
    end: int
    label: Label


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if found and span.start < found[-1].end:
            last = found.pop()
            label = min(last.label, span.label, key=_ORDER.__getitem__)
            found.append(Span(last.start, max(last.end, span.end), label))
        else:
            found.append(span)
    return found


def replaced(text: str, spans: Sequence[Span]) -> str:
    """Return the text with ``[label]`` for each span; they are in order and do not overlap."""
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], f"[{span.label}]"]
        at = span.end
    return "".join([*parts, text[at:]])

"""Words that nobody may write down, and where they were: plain, escaped, in base64, in hexadecimal."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

AROUND = 60
"""Bytes told on either side of a hit."""


def forms(word: str) -> set[bytes]:
    """Return every way in which a word of at least 8 characters may stand in what was written down."""
    once = json.dumps(word)[1:-1]
    texts = {word, once, json.dumps(once)[1:-1], quote(word), repr(word.encode())[2:-1]}
    return {form for text in texts for form in _encoded(text.encode())}


def _encoded(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for before in range(3):  # bytes of something longer that it stands in
        sure = slice(-(-before * 8 // 6), (before + len(raw)) * 8 // 6)
        padded = b"\0" * before + raw
        yield base64.b64encode(padded)[sure]
        yield base64.urlsafe_b64encode(padded)[sure]


def hits(words: Iterable[str], places: Mapping[str, bytes]) -> list[str]:
    """Return where any of these words stands, with what is around it."""
    found = []
    for word in words:
        for form in forms(word):
            for place, text in places.items():
                at = text.find(form)
                if at >= 0:
                    found.append(f"{place}: {text[max(0, at - AROUND) : at + len(form) + AROUND]!r}")
    return found

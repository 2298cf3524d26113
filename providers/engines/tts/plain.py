"""Text as a voice can speak it: markup, symbols and control characters taken out."""

from __future__ import annotations

import re
import unicodedata

_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*_`~#|^]+|^\s*[-+>]\s+", re.MULTILINE)
_UNSPOKEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"})
"""Unicode categories of control characters, surrogates, emoji and the like."""


def plain(text: str) -> str:
    """Return the words of a text that may hold SSML, HTML or Markdown; empty if there is nothing to say."""
    words = _MARKS.sub(" ", _LINK.sub(r"\1", _TAG.sub(" ", text)))
    spoken = "".join(" " if unicodedata.category(mark) in _UNSPOKEN else mark for mark in words)
    spoken = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(spoken.split()))
    return spoken if any(mark.isalnum() for mark in spoken) else ""

"""An answer that a framework makes in several parts, text before and after its tools, as one text."""

from __future__ import annotations


class Pieces:
    """Puts a space between the parts of one answer: "One moment." and "You have two." are two sentences."""

    def __init__(self) -> None:
        self._part: object = None
        self._said = ""

    @property
    def said(self) -> bool:
        """Tell whether anything was said."""
        return bool(self._said)

    def of(self, part: object, text: str) -> str:
        """Return a piece of text of this part as it is to be said; empty for nothing."""
        if not text:
            return ""
        joined = self._said and part != self._part and not (self._said[-1].isspace() or text[0].isspace())
        self._part, self._said = part, text
        return f" {text}" if joined else text

"""Cuts an agent's streamed text into pieces that sound right when spoken one after the other."""

from __future__ import annotations

import re

MAX_PIECE = 300
"""Characters after which a piece is cut at the last space, sentence or not."""
MIN_PIECE = 2
"""A piece needs this many letters or digits, or it joins the next."""

_END = re.compile(r"([.!?…]+[\"')\]]*)(\s+)|\n+")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|approx|dept|min|max)|\b[A-Z])\.$")


class SentenceCutter:
    """Text in as it comes, whole sentences out as soon as they are whole."""

    def __init__(self) -> None:
        self._text = ""

    def push(self, delta: str) -> list[str]:
        """Take more text and return the sentences that are now complete."""
        self._text += delta
        pieces: list[str] = []
        while (cut := self._cut()) is not None:
            pieces.append(self._text[:cut].strip())
            self._text = self._text[cut:]
        return pieces

    def flush(self) -> str:
        """Return what is left at the end of the text."""
        rest, self._text = self._text.strip(), ""
        return rest

    def _cut(self) -> int | None:
        for match in _END.finditer(self._text):
            head = self._text[: match.end(1) if match.group(1) else match.start()]
            if _speakable(head) and not _ABBREVIATION.search(head):
                return match.end()
        if len(self._text) > MAX_PIECE:
            space = self._text.rfind(" ", 1, MAX_PIECE)
            return space if space > 0 else MAX_PIECE
        return None


def _speakable(text: str) -> bool:
    return sum(character.isalnum() for character in text) >= MIN_PIECE

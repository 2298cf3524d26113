"""Marks that travel in an agent's text: two private-use characters that no text has on its own."""

from __future__ import annotations

HOLD = "\U000f5b10"
"""From here on the caller cannot interrupt."""
RELEASE = "\U000f5b11"
"""From here on the caller can interrupt again."""


def without_marks(text: str) -> str:
    """Return the text as it is read, spoken and remembered."""
    return text.replace(HOLD, "").replace(RELEASE, "")

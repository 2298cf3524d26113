"""What a voice is given for a text."""

from __future__ import annotations

from worker.speech.speakable import speakable


def spoken_form(text: str) -> str:
    """Return it, having seen that its units cover the text."""
    units = speakable(text)
    assert "".join(unit.written for unit in units) == text
    return "".join(unit.spoken for unit in units)

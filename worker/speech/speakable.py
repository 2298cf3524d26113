"""What an agent wrote, as a voice can speak it."""

from __future__ import annotations

from worker.speech.unit import Unit, verbatim


def speakable(text: str) -> tuple[Unit, ...]:
    """Return the units of a text: joined, ``written`` is the text and ``spoken`` what the voice is given."""
    return verbatim(text)

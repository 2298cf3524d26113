"""Carriers' own packages for tests: where they are."""

from __future__ import annotations

from pathlib import Path

from environment import environment

PACKAGES = (
    *("twilio==9.13.0", "plivo==4.63.0", "telnyx==4.189.0", "pynacl", "vonage-jwt==1.1.5", "vonage-voice==1.5.1"),
)


def python() -> Path:
    """Return the Python that has them; it may take minutes, and blocks."""
    return environment("carriers", PACKAGES)

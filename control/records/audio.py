"""Recordings as files: raw samples while a call goes on, FLAC when a part of it is whole."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from voicebackend.errors import InvalidConfig

CHANNELS = 2
"""The caller left, the agent right."""
FRAME_BYTES = 2 * CHANNELS
SUFFIX = ".flac"


def flac(samples: Path, rate: int) -> bytes:
    """Return a file of raw 16-bit stereo as FLAC; what a crash left of a sample is left out."""
    pcm = samples.read_bytes()
    pcm = pcm[: len(pcm) - len(pcm) % FRAME_BYTES]
    out = io.BytesIO()
    _package().write(out, np.frombuffer(pcm, "<i2").reshape(-1, CHANNELS), rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def check() -> None:
    """Raise InvalidConfig if recordings cannot be written here."""
    _package()


def _package() -> Any:
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:
        raise InvalidConfig("records", "recordings need soundfile: pip install 'voicebackend[records]'") from error

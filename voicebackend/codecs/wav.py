"""WAV files in and out, with the standard library."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np

from voicebackend.audio import MAX_RATE, MIN_RATE, SAMPLE_BYTES, to_samples
from voicebackend.errors import InvalidFormat

MAX_S = 600
"""Longest file that is played, in seconds."""


def read_wav(path: Path) -> tuple[bytes, int]:
    """Return a file's PCM and its rate in Hz.

    Raises:
        InvalidFormat: it is not 16-bit PCM mono of 8 to 48 kHz with something in it, at most 10 minutes long.

    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
            wrong = _wrong(channels, width, rate, frames)
            if wrong:
                raise InvalidFormat("read_wav", f"{path}: {wrong}; needed is 16-bit PCM, mono, 8 to 48 kHz")
            return file.readframes(frames), rate
    except FileNotFoundError as error:
        raise InvalidFormat("read_wav", f"{path}: there is no such file") from error
    except (OSError, EOFError, RuntimeError, wave.Error) as error:  # a chunk may end behind the file
        raise InvalidFormat("read_wav", f"{path}: not a PCM WAV file: {error}") from error


def _wrong(channels: int, width: int, rate: int, frames: int) -> str:
    if channels != 1:
        return f"it has {channels} channels"
    if width != SAMPLE_BYTES:
        return f"it has {width * 8}-bit samples"
    if not MIN_RATE <= rate <= MAX_RATE:
        return f"it has {rate} Hz"
    if not frames:
        return "it is empty"
    return f"it is longer than {MAX_S // 60} minutes" if frames > MAX_S * rate else ""


def write_wav(path: Path, *channels: bytes, sample_rate: int) -> None:
    """Write channels of 16-bit PCM side by side; a shorter one is filled up with silence."""
    length = max(map(len, channels)) // SAMPLE_BYTES
    samples = np.zeros((length, len(channels)), "<i2")
    for index, pcm in enumerate(channels):
        samples[: len(pcm) // SAMPLE_BYTES, index] = to_samples(pcm)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())


def wav_bytes(pcm: bytes, *, sample_rate: int) -> bytes:
    """Return 16-bit mono PCM as a WAV file in memory."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(SAMPLE_BYTES)
        writer.setframerate(sample_rate)
        writer.writeframes(pcm)
    return file.getvalue()

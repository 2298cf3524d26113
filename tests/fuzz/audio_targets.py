"""Sound that comes from outside: callers' messages in every encoding, WAV files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from target import Target

from control.gateway.uplink import Uplink
from voicebackend.audio import MAX_RATE, MIN_RATE
from voicebackend.codecs import Encoding, open_codec
from voicebackend.codecs.wav import MAX_S, read_wav
from voicebackend.errors import InvalidFormat, RateLimitExceeded
from voicebackend.events import MAX_AUDIO_MS

_FOLDER = TemporaryDirectory(prefix="voicebackend-fuzz-")
_FRAME = 640
"""Bytes of 20 ms at 16 kHz."""


def wav_file(data: bytes) -> None:
    """A file: what is read is as long as it may be, and no longer than the file."""
    path = Path(_FOLDER.name) / "sound.wav"
    path.write_bytes(data)
    pcm, rate = read_wav(path)
    assert MIN_RATE <= rate <= MAX_RATE
    assert len(pcm) <= min(len(data), 2 * rate * MAX_S)


def _uplink(encoding: Encoding, rate: int) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        """A caller's messages, parted by a mark: frames of 20 ms, no more than 200 ms a message."""
        uplink, now, silence = (
            Uplink(open_codec(encoding, rate)),
            0.0,
            open_codec(encoding, rate).encode(bytes(2 * rate // 50)),
        )
        for message in data.split(b"\n--\n")[:16]:
            now += 0.02
            try:
                frames = uplink.push(message, now)
            except InvalidFormat:
                continue
            assert all(len(frame) == _FRAME for frame in frames)
            assert len(frames) <= MAX_AUDIO_MS // 20 + 2
        assert sum(map(len, uplink.push(silence[0], now))) <= 3 * _FRAME
        rest = b"".join(uplink.flush())
        assert np.frombuffer(rest[: len(rest) // 2 * 2], "<i2").size <= _FRAME

    return read


TARGETS = (
    Target(
        name="wav-file", read=wav_file, words=(b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"\xff" * 4, b"\x00" * 4)
    ),
    *(
        Target(
            name=f"{encoding}-audio", read=_uplink(encoding, 8_000), refuses=(RateLimitExceeded,), words=(b"\n--\n",)
        )
        for encoding in Encoding
    ),
)

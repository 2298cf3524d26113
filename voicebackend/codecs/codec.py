"""What every codec can do, and plain PCM, which needs none."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from voicebackend.audio import MAX_RATE, MIN_RATE, SAMPLE_BYTES
from voicebackend.errors import InvalidFormat


class Encoding(StrEnum):
    """How audio is written in a binary message."""

    PCM16 = "pcm16"
    """Signed 16-bit little-endian samples."""
    MULAW = "mulaw"
    """G.711 µ-law, a byte a sample."""
    ALAW = "alaw"
    """G.711 A-law, a byte a sample."""
    OPUS = "opus"
    """One Opus packet a message."""


class Codec(Protocol):
    """One caller's audio, both ways; PCM is mono, signed 16-bit little-endian, at ``sample_rate``."""

    @property
    def name(self) -> Encoding:
        """Which encoding it is."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hertz, of both directions."""
        ...

    @property
    def max_message(self) -> int:
        """Bytes in the longest message that ``decode`` takes."""
        ...

    def decode(self, message: bytes) -> bytes:
        """Return the next message's PCM.

        Raises:
            InvalidFormat: it is not of this encoding; the stream may go on.

        """
        ...

    def encode(self, pcm: bytes) -> list[bytes]:
        """Take any even number of bytes of PCM; return the messages that are complete."""
        ...

    def flush(self) -> list[bytes]:
        """End an utterance: return what waits for a whole message, filled up with silence."""
        ...

    def drop(self) -> None:
        """Forget what waits for a whole message: it is not to be heard."""
        ...


class Unframed:
    """The half of a codec that is the same wherever a message may be of any length: nothing ever waits."""

    max_message = 64 * 1024

    def flush(self) -> list[bytes]:
        """Return nothing."""
        return []

    def drop(self) -> None:
        """Do nothing."""


class Pcm16(Unframed):
    """PCM as it is, at 8 to 48 kHz."""

    name = Encoding.PCM16

    def __init__(self, sample_rate: int) -> None:
        check_rate(self.name, sample_rate, range(MIN_RATE, MAX_RATE + 1))
        self.sample_rate = sample_rate

    def decode(self, message: bytes) -> bytes:
        """Return the message; InvalidFormat if it has an odd number of bytes."""
        if len(message) % SAMPLE_BYTES:
            raise InvalidFormat("audio", "16-bit samples make an even number of bytes")
        return message

    def encode(self, pcm: bytes) -> list[bytes]:
        """Return the PCM."""
        return [pcm]


def check_rate(encoding: Encoding, sample_rate: int, allowed: range | tuple[int, ...]) -> None:
    """Return if the encoding can have this rate.

    Raises:
        InvalidFormat: it cannot; the details name the field.

    """
    if sample_rate not in allowed:
        rates = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
        message = f"sample_rate of {encoding} must be {rates} Hz"
        raise InvalidFormat("audio_format", message, details={"field": "sample_rate"})

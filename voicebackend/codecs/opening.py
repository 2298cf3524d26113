"""From an encoding's name to its codec."""

from __future__ import annotations

from voicebackend.codecs.codec import Codec, Encoding, Pcm16
from voicebackend.codecs.g711 import G711
from voicebackend.codecs.opus import Opus


def open_codec(encoding: Encoding, sample_rate: int) -> Codec:
    """Return a new codec for one caller; the first of its kind takes some milliseconds.

    Raises:
        InvalidFormat: the encoding does not go with this rate; the details name the field.
        InvalidConfig: it needs an extra that is not installed; the message says which.

    """
    match encoding:
        case Encoding.PCM16:
            return Pcm16(sample_rate)
        case Encoding.MULAW | Encoding.ALAW:
            return G711(encoding, sample_rate)
        case Encoding.OPUS:
            return Opus(sample_rate)

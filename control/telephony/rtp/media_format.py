"""What both sides of a call agreed on."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.codecs import Encoding

FRAME_BYTES = 160
"""20 ms of G.711."""
FRAME_S = 0.02
SAMPLE_RATE = 8000
SILENCE = {Encoding.MULAW: b"\xff", Encoding.ALAW: b"\xd5"}
"""One sample of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFormat:
    """How audio and keys are written in RTP, at 8 kHz."""

    encoding: Encoding
    """``mulaw`` or ``alaw``."""
    payload_type: int
    key_type: int | None = None
    """Payload type of telephone-event; None where keys do not go by RTP."""

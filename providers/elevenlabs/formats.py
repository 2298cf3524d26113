"""The formats in which an agent hears and speaks, told by names like ``pcm_16000`` and ``ulaw_8000``; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE, Resampler, whole_samples
from voicebackend.codecs.codec import Encoding
from voicebackend.codecs.g711 import G711
from voicebackend.errors import InvalidConfig

_NAME = re.compile(r"(pcm|ulaw|alaw)_(\d{4,5})")
_G711 = {"ulaw": Encoding.MULAW, "alaw": Encoding.ALAW}


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How audio travels one way."""

    sample_rate: int
    """Hertz."""
    g711: Encoding | None = None
    """What its bytes are; None for 16-bit PCM."""


def wire_format(name: str) -> WireFormat:
    """Return what a name says.

    Raises:
        InvalidConfig: the agent is set to a format that is neither PCM nor G.711.

    """
    found = _NAME.fullmatch(name)
    rate = int(found[2]) if found else 0
    if found is None or not MIN_RATE <= rate <= MAX_RATE or (found[1] in _G711 and rate != MIN_RATE):
        message = f"the agent's audio format is {name[:40]!r}: set it to PCM, or to 8000 Hz µ-law, at the vendor's"
        raise InvalidConfig("elevenlabs", message, details={"field": "agent_id"})
    return WireFormat(rate, _G711.get(found[1]))


class Uplink:
    """Caller audio as the agent wants it."""

    def __init__(self, wire: WireFormat) -> None:
        self._resampler = Resampler(PIPELINE_RATE, wire.sample_rate)
        self._g711 = G711(wire.g711) if wire.g711 else None

    def push(self, pcm: bytes) -> bytes:
        """Convert 16 kHz PCM."""
        pcm = self._resampler.process(pcm)
        return pcm if self._g711 is None else b"".join(self._g711.encode(pcm))


class Downlink:
    """The agent's audio as PCM of one rate, whole samples."""

    def __init__(self, wire: WireFormat, sample_rate: int) -> None:
        self._resampler = Resampler(wire.sample_rate, sample_rate)
        self._g711 = G711(wire.g711) if wire.g711 else None
        self._odd = b""

    def push(self, audio: bytes) -> bytes:
        """Convert what came; a sample that is cut in two is put together with what comes next."""
        if self._g711 is not None:
            return self._resampler.process(self._g711.decode(audio))
        whole, self._odd = whole_samples(self._odd + audio)
        return self._resampler.process(whole)

    def flush(self) -> bytes:
        """Return what is still on its way at the end of an answer."""
        self._odd = b""
        return self._resampler.flush()

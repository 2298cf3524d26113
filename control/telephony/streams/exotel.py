"""Exotel's voicebot streams: as Twilio's, with other names and 16-bit samples at 8 kHz (or the rate that it tells)."""

from __future__ import annotations

from typing import ClassVar

from control.telephony.streams.dialect import Event, Json, texts
from control.telephony.streams.event_dialect import EventDialect
from control.telephony.streams.pieces import Sizes
from control.telephony.streams.stream_events import Opened
from voicebackend.codecs import Encoding

RATE = 8000
UNIT = 320
"""Bytes: messages are of whole ones."""
WIDE = frozenset(
    {"base64", "raw/slin", "slin", "audio/x-l16", "audio/l16", "l16", "audio/pcm", "pcm", "pcm16", "linear16"}
)
"""Names under which 16-bit samples are told of; ``base64`` is its own."""


class Exotel(EventDialect):
    """``connected``, ``start``, ``media``, ``dtmf``, ``mark``, ``stop``."""

    name: ClassVar[str] = "exotel"
    stream_key: ClassVar[str] = "stream_sid"

    def sizes(self, sample_rate: int) -> Sizes:
        """Return multiples of 320 bytes, and at least ten of them: of less, it leaves gaps."""
        del sample_rate
        return Sizes(unit=UNIT, least=10 * UNIT)

    def _start(self, told: Json) -> Event:
        start = told["start"]
        form = start.get("media_format", {})
        if str(form.get("encoding", "base64")).lower() not in WIDE:
            raise ValueError
        self.stream = str(told["stream_sid"])
        return Opened(
            stream=self.stream,
            call=str(start["call_sid"]),
            parameters=texts(start.get("custom_parameters")),
            encoding=Encoding.PCM16,
            sample_rate=int(form.get("sample_rate", RATE)),
        )

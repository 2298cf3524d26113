"""Telnyx' media streams: numbered audio that may come out of order; G.711 at 8 kHz, asked for as ``rtp`` mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from control.telephony.streams.dialect import Event, Json, texts
from control.telephony.streams.event_dialect import EventDialect
from control.telephony.streams.pieces import Sizes
from control.telephony.streams.stream_events import Audio, Opened
from voicebackend.audio import FRAME_MS
from voicebackend.codecs import Encoding

ENCODINGS: Mapping[str, Encoding] = {"PCMU": Encoding.MULAW, "PCMA": Encoding.ALAW}


class Telnyx(EventDialect):
    """``connected``, ``start``, ``media``, ``dtmf``, ``mark``, ``stop``."""

    name: ClassVar[str] = "telnyx"

    def sizes(self, sample_rate: int) -> Sizes:
        """Return at least 20 ms."""
        return Sizes(least=sample_rate * FRAME_MS // 1000)

    def _start(self, told: Json) -> Event:
        start, form = told["start"], told["start"]["media_format"]
        self.stream = str(told["stream_id"])
        return Opened(
            stream=self.stream,
            call=str(start["call_control_id"]),
            parameters=texts(start.get("custom_parameters")),
            encoding=ENCODINGS[form["encoding"]],
            sample_rate=int(form["sample_rate"]),
        )

    def _media(self, told: Json) -> Event:
        audio = super()._media(told)
        return Audio(audio.payload, int(told["media"]["chunk"])) if isinstance(audio, Audio) else None

"""Twilio's media streams: mu-law at 8 kHz; marks come back when played, and all at once after ``clear``."""

from __future__ import annotations

from typing import ClassVar

from control.telephony.streams.dialect import Event, Json, texts
from control.telephony.streams.event_dialect import EventDialect
from control.telephony.streams.stream_events import Opened
from voicebackend.codecs import Encoding

RATE = 8000


class Twilio(EventDialect):
    """``connected``, ``start``, ``media``, ``dtmf``, ``mark``, ``stop``."""

    name: ClassVar[str] = "twilio"
    stream_key: ClassVar[str] = "streamSid"

    def _start(self, told: Json) -> Event:
        start = told["start"]
        self.stream = str(told["streamSid"])
        if start["mediaFormat"]["encoding"] != "audio/x-mulaw":
            raise ValueError
        return Opened(
            stream=self.stream,
            call=str(start["callSid"]),
            parameters=texts(start.get("customParameters")),
            encoding=Encoding.MULAW,
            sample_rate=RATE,
        )

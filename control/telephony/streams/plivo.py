"""Plivo's audio streams: mu-law at 8 kHz; marks are called checkpoints; the end is only the socket's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from control.telephony.streams.dialect import Event, Json, compact, encoded
from control.telephony.streams.event_dialect import EventDialect
from control.telephony.streams.stream_events import Marked, Opened
from voicebackend.codecs import Encoding

RATE = 8000
CONTENT_TYPE = "audio/x-mulaw"


class Plivo(EventDialect):
    """``start``, ``media``, ``dtmf``, ``playedStream``, ``clearedAudio``."""

    name: ClassVar[str] = "plivo"
    stream_key: ClassVar[str] = "streamId"

    def audio(self, payload: bytes) -> str:
        """Return a ``playAudio`` message."""
        media = {"contentType": CONTENT_TYPE, "sampleRate": RATE, "payload": encoded(payload)}
        return compact({"event": "playAudio", "media": media})

    def mark(self, name: str) -> str:
        """Return a ``checkpoint``."""
        return self._said("checkpoint", name=name)

    def clear(self) -> str:
        """Return a ``clearAudio``."""
        return self._said("clearAudio")

    def _readers(self) -> Mapping[str, Callable[[Json], Event]]:
        return {**super()._readers(), "playedStream": _played}

    def _start(self, told: Json) -> Event:
        start = told["start"]
        self.stream = str(start["streamId"])
        form = start.get("mediaFormat", {})
        if form.get("encoding", CONTENT_TYPE) != CONTENT_TYPE or int(form.get("sampleRate", RATE)) != RATE:
            raise ValueError
        return Opened(
            stream=self.stream,
            call=str(start["callId"]),
            parameters=_headers(told.get("extra_headers")),
            encoding=Encoding.MULAW,
            sample_rate=RATE,
        )


def _headers(text: object) -> dict[str, str]:
    """Return ``k=v,k2=v2`` as a mapping; Plivo also joins them with semicolons."""
    if not isinstance(text, str):
        return {}
    pairs = (pair.partition("=") for pair in re.split("[,;]", text.strip("{} ")) if "=" in pair)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _played(told: Json) -> Event:
    return Marked(str(told["name"]))

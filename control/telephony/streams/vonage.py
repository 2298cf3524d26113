"""Vonage's websockets: a first text tells rate and parameters, then audio is binary; ``notify`` serves as a mark."""

from __future__ import annotations

import re
from typing import ClassVar

from control.telephony.streams.dialect import Dialect, Event, Json, compact, pressed, texts
from control.telephony.streams.pieces import Sizes
from control.telephony.streams.stream_events import Audio, Marked, Opened
from voicebackend.audio import FRAME_MS, SAMPLE_BYTES
from voicebackend.codecs import Encoding

_CONTENT_TYPE = re.compile(r"audio/l16;\s*rate=(\d{4,6})")
_MARK = "mark"


class Vonage(Dialect):
    """``websocket:connected``, binary audio, ``websocket:dtmf``, ``websocket:notify``."""

    name: ClassVar[str] = "vonage"

    def sizes(self, sample_rate: int) -> Sizes:
        """Return 20 ms: at any other it ends the stream."""
        frame = sample_rate * FRAME_MS // 1000 * SAMPLE_BYTES
        return Sizes(unit=frame, least=frame, most=frame)

    def audio(self, payload: bytes) -> bytes:
        """Return the audio itself."""
        return payload

    def mark(self, name: str) -> str:
        """Return a ``notify``, which comes back when all before it was played."""
        return compact({"action": "notify", "payload": {_MARK: name}})

    def clear(self) -> str:
        """Return a ``clear``."""
        return compact({"action": "clear"})

    def _binary(self, message: bytes) -> Event:
        return Audio(message)

    def _event(self, told: Json) -> Event:
        match told["event"]:
            case "websocket:connected":
                return self._start(told)
            case "websocket:dtmf":
                return pressed({"dtmf": told})
            case "websocket:notify":
                return Marked(str(told["payload"][_MARK]))
            case _:
                return None

    def _start(self, told: Json) -> Event:
        found = _CONTENT_TYPE.fullmatch(told["content-type"])
        if found is None:
            raise ValueError
        parameters = texts(told)
        self.stream = parameters.get("uuid", "")
        return Opened(
            stream=self.stream,
            call=self.stream,
            parameters=parameters,
            encoding=Encoding.PCM16,
            sample_rate=int(found[1]),
        )

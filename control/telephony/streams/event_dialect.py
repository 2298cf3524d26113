"""The dialects in which every message is a text with an ``event``, and audio is base64 in it: all that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from control.telephony.streams.dialect import Dialect, Event, Json, compact, decoded, encoded, pressed
from control.telephony.streams.stream_events import Audio, Closed, Marked


class EventDialect(Dialect):
    """``start``, ``media``, ``dtmf``, ``mark``, ``stop`` come; ``media``, ``mark``, ``clear`` go."""

    stream_key: ClassVar[str] = ""
    """Under which our messages name the stream; empty where they do not."""

    def audio(self, payload: bytes) -> str:
        """Return a ``media`` message."""
        return self._said("media", media={"payload": encoded(payload)})

    def mark(self, name: str) -> str:
        """Return a ``mark``."""
        return self._said("mark", mark={"name": name})

    def clear(self) -> str:
        """Return a ``clear``."""
        return self._said("clear")

    def _said(self, event: str, **fields: object) -> str:
        stream = {self.stream_key: self.stream} if self.stream_key else {}
        return compact({"event": event, **stream, **fields})

    def _event(self, told: Json) -> Event:
        reader = self._readers().get(str(told["event"]))
        return None if reader is None else reader(told)

    def _readers(self) -> Mapping[str, Callable[[Json], Event]]:
        """Return what reads each event that is of concern."""
        return {"start": self._start, "media": self._media, "dtmf": pressed, "mark": _marked, "stop": _closed}

    def _start(self, told: Json) -> Event:
        """Return what ``start`` says; ValueError for audio that we have no codec for."""
        raise NotImplementedError

    def _media(self, told: Json) -> Event:
        """Return the caller's audio; what we said comes back from some, as another track."""
        media = told["media"]
        return Audio(decoded(media["payload"])) if media.get("track", "inbound") == "inbound" else None


def _marked(told: Json) -> Event:
    return Marked(str(told["mark"]["name"]))


def _closed(told: Json) -> Event:
    del told
    return Closed()

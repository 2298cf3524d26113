"""What a Pipecat server says, message by message, as the events of a speech-to-speech model. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from providers.pipecat.answers import Answers, Numbered
from providers.pipecat.caller import CallerSide
from providers.pipecat.codec import Audio, Interruption, Message, Rtvi
from voicebackend.interfaces import S2sEvent

logger = logging.getLogger(__name__)


class Dialogue:
    """One session's."""

    def __init__(self, sample_rate: int) -> None:
        self.answers = Answers(sample_rate)
        self._caller = CallerSide()
        self.speaks_rtvi = False
        """The server tells what it hears and does."""
        self._tells_input = False

    def take(self, message: Message) -> list[Numbered]:
        """Return what follows from a message."""
        match message:
            case Audio(pcm, sample_rate):
                return self.answers.audio(pcm, sample_rate)
            case Interruption():
                return self.answers.interrupted()
            case Rtvi(type_, data):
                self.speaks_rtvi = True
                handler = _HANDLERS.get(type_)
                return handler(self, data) if handler else []

    def noticed(self, event: S2sEvent) -> list[Numbered]:
        """Take what we notice of the caller's speech ourselves; words come of it where the server tells of them."""
        if event.kind == "speech_started":
            return self._caller_started()
        return _told(self._caller.stopped(silence_s=event.silence_s, wordless=not self.speaks_rtvi))

    def _caller_started(self) -> list[Numbered]:
        events = self._caller.started()
        if events:
            self.answers.spoken_over()
        return _told(events)

    def _said_or_typed(self, data: Mapping[str, Any]) -> list[Numbered]:
        """Take words; what was typed, and what only shows that somebody listens, is no turn."""
        self._tells_input = True
        return self._said(data) if data.get("input_type") == "transcription" else []

    def _said(self, data: Mapping[str, Any]) -> list[Numbered]:
        text = data.get("text")
        if not isinstance(text, str):
            return []
        return _told(self._caller.said(text.strip(), final=data.get("final") is True))

    def _wrote(self, data: Mapping[str, Any]) -> list[Numbered]:
        text = data.get("text")
        return self.answers.wrote(text) if isinstance(text, str) else []

    def _failed(self, data: Mapping[str, Any]) -> list[Numbered]:
        """Take an error; only a fatal one is the end. Its words are not logged: they may be the caller's."""
        if data.get("fatal") is True:
            return [(0, S2sEvent(kind="error"))]
        logger.warning("the pipecat server reports an error", extra={"engine": "pipecat"})
        return []


_HANDLERS: Mapping[str, Callable[[Dialogue, Mapping[str, Any]], list[Numbered]]] = {
    "user-started-speaking": lambda self, _: self._caller_started(),
    "user-stopped-speaking": lambda self, _: _told(self._caller.stopped()),
    "user-transcription": lambda self, data: [] if self._tells_input else self._said(data),
    "user-input": lambda self, data: self._said_or_typed(data),
    "bot-llm-started": lambda self, _: self.answers.writes(),
    "bot-llm-text": lambda self, data: self._wrote(data),
    "bot-tts-started": lambda self, _: self.answers.announced(),
    "bot-output": lambda self, data: self.answers.spoken(data),
    "bot-started-speaking": lambda self, _: self.answers.started(),
    "bot-stopped-speaking": lambda self, _: self.answers.stopped(),
    "bot-interrupted": lambda self, _: self.answers.interrupted(),
    "error": lambda self, data: self._failed(data),
}
"""What RTVI messages lead to; the others do not concern us. ``user-input`` has taken the place of
``user-transcription``, which follows it."""


def _told(events: Sequence[S2sEvent]) -> list[Numbered]:
    """Return what belongs to no answer."""
    return [(0, event) for event in events]

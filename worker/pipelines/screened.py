"""A listener that also finds out who answered a call that we made, and has the log say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voicebackend.errors import VoiceBackendError
from worker.pipelines.hearing import Heard, Listener, Utterance
from worker.turns.answerer import Answerer, Screening

Note = Callable[[Mapping[str, Any]], None]
"""Writes an entry to the session's log."""


class ScreenedListener:
    """Hands everything on. Of a machine the log is told, too, when it falls silent and when it goes on."""

    def __init__(self, listener: Listener, note: Note) -> None:
        self._listener, self._note = listener, note
        self._screening = Screening()
        self._told: tuple[Answerer, bool] | None = None

    def __repr__(self) -> str:
        return f"<ScreenedListener {self._screening!r}>"

    def hears(self, heard: Heard) -> None:
        """Judge what was spoken so far."""
        self._screening.hears(heard.speech_s, heard.text)
        self._tell(speaks=True)
        self._listener.hears(heard)

    def partial(self, text: str) -> None:
        """Hand it on."""
        self._listener.partial(text)

    def may_be_over(self, text: str) -> None:
        """Hand it on."""
        self._listener.may_be_over(text)

    def caught_up(self) -> None:
        """Hand it on."""
        self._listener.caught_up()

    async def said(self, utterance: Utterance) -> None:
        """Judge the turn."""
        self._screening.said(utterance.speech_s, utterance.text)
        self._tell(speaks=False)
        await self._listener.said(utterance)

    def said_nothing(self) -> None:
        """What sounded like speech is over."""
        self._tell(speaks=False)
        self._listener.said_nothing()

    def failed(self, error: VoiceBackendError) -> None:
        """Hand it on."""
        self._listener.failed(error)

    def _tell(self, *, speaks: bool) -> None:
        who = self._screening.answerer
        if who is None:
            return
        now = (who, speaks and who is Answerer.MACHINE)
        if now != self._told:
            self._told = now
            self._note({"type": "answerer", "who": str(who), "speaks": now[1]})

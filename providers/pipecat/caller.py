"""What a Pipecat server tells of the caller's speech, as events: begun, silent, and all that was said. Pure."""

from __future__ import annotations

from enum import StrEnum

from voicebackend.interfaces import S2sEvent


class _State(StrEnum):
    IDLE = "idle"
    SPEAKING = "speaking"
    STOPPED = "stopped"
    """Silent, and not yet understood."""


class CallerSide:
    """One session's. Recognisers tell a turn's words in several finals; ours is told once, when the turn is over."""

    def __init__(self) -> None:
        self._state = _State.IDLE
        self._finals: list[str] = []

    def __repr__(self) -> str:
        return f"<CallerSide [{self._state}, {len(self._finals)} finals]>"

    def started(self) -> list[S2sEvent]:
        """The caller speaks."""
        if self._state is _State.SPEAKING:
            return []
        self._state = _State.SPEAKING
        self._finals.clear()
        return [S2sEvent(kind="speech_started")]

    def stopped(self, *, silence_s: float = 0.0, wordless: bool = False) -> list[S2sEvent]:
        """The turn is over, after ``silence_s``; unless ``wordless``, its words are known by now, or come later."""
        if self._state is not _State.SPEAKING:
            return []
        self._state = _State.STOPPED
        events = [S2sEvent(kind="speech_stopped", silence_s=silence_s)]
        return [*events, self._understood(silence_s)] if self._finals or wordless else events

    def said(self, text: str, *, final: bool) -> list[S2sEvent]:
        """Some of it was recognised; what comes after the turn, or without one, is one of its own."""
        if not final:
            return [S2sEvent(kind="user_text", text=self._with(text))]
        self._finals.append(text)
        if self._state is _State.SPEAKING:
            return [S2sEvent(kind="user_text", text=self._with(""))]
        return [self._understood()]

    def _with(self, text: str) -> str:
        return " ".join(part for part in [*self._finals, text] if part)

    def _understood(self, silence_s: float = 0.0) -> S2sEvent:
        event = S2sEvent(kind="user_text", text=self._with(""), final=True, silence_s=silence_s)
        self._state = _State.IDLE
        self._finals.clear()
        return event

"""What Vapi tells of the caller, as events of ours; pure.

Transcripts come in finished pieces, of which one time of speaking may have several.
"""

from __future__ import annotations

from providers.vapi.codec import Speech, Words
from voicebackend.interfaces import S2sEvent


class Caller:
    """One call's caller."""

    def __init__(self) -> None:
        self._speaks = False
        self._pieces: list[str] = []

    def speech(self, message: Speech) -> list[S2sEvent]:
        """The caller begins to speak, or has stopped."""
        if message.started:
            begins = [] if self._speaks else [S2sEvent(kind="speech_started")]
            self._speaks = True
            return begins
        if not self._speaks:
            return []
        self._speaks = False
        return [S2sEvent(kind="speech_stopped"), *self.answered()]

    def words(self, message: Words) -> list[S2sEvent]:
        """More is understood; it is final once the caller has stopped, too."""
        text = " ".join([*self._pieces, message.text])
        if not message.final:
            return [S2sEvent(kind="user_text", text=text)]
        self._pieces.append(message.text)
        return [S2sEvent(kind="user_text", text=text)] if self._speaks else self.answered()

    def answered(self) -> list[S2sEvent]:
        """Return what was said as final, if its words are known: it is over, or being answered."""
        if not self._pieces:
            return []
        text, self._pieces = " ".join(self._pieces), []
        return [S2sEvent(kind="user_text", text=text, final=True)]

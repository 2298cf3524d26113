"""What Vapi's assistant says, sorted into answers; pure.

The audio carries no mark of what it belongs to. What comes between tells: that the assistant begins to speak, what it
says and who gave it that to say, and that it has stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from providers.mock.sounds import is_louder
from providers.vapi.codec import Interrupted, Message, Speech, Spoken, Words
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent

SILENT = 100
"""Samples up to this are silence, of which Vapi may send any amount between answers."""
EARLY_S = 0.5
"""Seconds of sound that may come before it is told what it is; then it counts as told."""


class State(StrEnum):
    """What is done with the assistant's audio."""

    QUIET = "quiet"
    """Kept for a moment, in case that it is the beginning of what is not told yet."""
    HELD = "held"
    """Kept until it is told whether it was given that to say."""
    HEARD = "heard"
    """Given on."""
    DROPPED = "dropped"
    """Nobody wants to hear it."""


class Cue(StrEnum):
    """What changes that."""

    STARTED = "started"
    WANTED = "wanted"
    """It says what it was given to say, or may say by itself."""
    UNWANTED = "unwanted"
    STOPPED = "stopped"
    CUT = "cut"


_S, _C = State, Cue
TRANSITIONS: Mapping[tuple[State, Cue], State] = {
    (_S.QUIET, _C.STARTED): _S.HELD,
    (_S.DROPPED, _C.STARTED): _S.HELD,
    (_S.HELD, _C.WANTED): _S.HEARD,
    (_S.HELD, _C.UNWANTED): _S.DROPPED,
    (_S.HELD, _C.STOPPED): _S.QUIET,
    (_S.HELD, _C.CUT): _S.DROPPED,
    (_S.HEARD, _C.STOPPED): _S.QUIET,
    (_S.HEARD, _C.CUT): _S.DROPPED,
    (_S.DROPPED, _C.STOPPED): _S.QUIET,
}
"""What follows; a cue that is not here changes nothing."""


class Assistant:
    """One call's assistant; ``clock`` tells seconds."""

    def __init__(self, sample_rate: int, *, answers: bool, clock: Callable[[], float]) -> None:
        self._early_bytes = round(EARLY_S * sample_rate) * SAMPLE_BYTES
        self._answers, self._clock = answers, clock
        self._kept = bytearray()
        self._kept_since = 0.0
        self._turn: float | None = None
        self._text = ""
        self._named = False
        self._withdrawn: str | None = None
        """It was given that to say, and has not begun; nobody wants to hear it any more."""
        self.asked: str | None = None
        """It was given that to say, and has not finished."""
        self.state = State.QUIET
        self.answer = 0
        """Counts what it has begun to say."""
        self.began = 0.0
        """When it began the last of it."""

    def ask(self, text: str) -> None:
        """It is being given something to say."""
        self.asked = text
        if self._withdrawn == text:
            self._withdrawn = None

    def hear(self, pcm: bytes) -> list[S2sEvent]:
        """Take audio, whole samples."""
        if self.state is State.HEARD:
            return [S2sEvent(kind="audio", pcm=pcm)]
        if self.state is State.DROPPED or (self.state is State.QUIET and not is_louder(pcm, SILENT)):
            return []
        self._keep(pcm)
        if len(self._kept) <= self._early_bytes:
            return []
        return [*self.started(), *self._take(self._guess())]

    def take(self, message: Message) -> list[S2sEvent]:
        """Take a message about it."""
        match message:
            case Speech():
                return self.started() if message.started else self._stopped()
            case Spoken():
                return self._spoken(message)
            case Words(final=True):
                return self._words(message.text)
            case Interrupted():
                return self._take(Cue.CUT)
            case _:
                return []

    def started(self) -> list[S2sEvent]:
        """It begins to speak."""
        known = self._answers and self._withdrawn is None
        return self._take(Cue.STARTED) + (self._take(Cue.WANTED) if known else [])

    def _stopped(self) -> list[S2sEvent]:
        """It has finished."""
        return [*self._take(self._guess()), *self._take(Cue.STOPPED)]

    def cut(self) -> list[S2sEvent]:
        """Nobody wants to hear more of what it is saying, or was given to say."""
        if self.asked is not None and self.state is not State.HEARD:
            self._withdrawn = self.asked
        self.asked = None
        return self._take(Cue.CUT)

    def _spoken(self, message: Spoken) -> list[S2sEvent]:
        """It tells what it is saying, and perhaps that this is something new."""
        before: list[S2sEvent] = []
        if self.state is State.QUIET or not self._is_same(message):
            before = [*self._take(Cue.STOPPED), *self.started()]
        kept = [] if self._named else self._take(self._judged(message))
        more = self._more(message)
        self._named = True
        return [*before, *more, *kept] if self.state is State.HEARD else before

    def _words(self, text: str) -> list[S2sEvent]:
        """Take what was understood of its own speech, where it does not tell what it is saying."""
        if self._named or self.state is not State.HEARD:
            return []
        piece = f" {text}" if self._text else text
        self._text += piece
        return [S2sEvent(kind="agent_text", text=piece)]

    def _judged(self, message: Spoken) -> Cue:
        if not message.ours:
            return Cue.WANTED if self._answers else Cue.UNWANTED
        if self._withdrawn is not None and message.text.strip() == self._withdrawn.strip():
            self._withdrawn = None
            return Cue.UNWANTED
        return Cue.WANTED

    def _guess(self) -> Cue:
        """Judge what it does not name."""
        return Cue.WANTED if self.asked is not None or self._answers else Cue.UNWANTED

    def _is_same(self, message: Spoken) -> bool:
        """Tell whether this is about what it is saying already."""
        if not self._named:
            return True
        if message.turn is None or self._turn is None:
            return message.text.startswith(self._text)
        return message.turn == self._turn

    def _more(self, message: Spoken) -> list[S2sEvent]:
        """Return what was not told yet: each message has all of a turn's text."""
        goes_on = self._named or (message.turn is not None and message.turn == self._turn)
        known = self._text if goes_on else ""
        self._turn = message.turn
        if not message.text.startswith(known):
            return []  # it was put another way
        self._text = message.text
        piece = message.text.removeprefix(known)
        return [S2sEvent(kind="agent_text", text=piece)] if piece else []

    def _keep(self, pcm: bytes) -> None:
        now = self._clock()
        if self.state is State.QUIET and self._kept and now - self._kept_since > EARLY_S:
            self._kept.clear()  # the end of what was said before
        if not self._kept:
            self._kept_since = now
        self._kept += pcm

    def _take(self, cue: Cue) -> list[S2sEvent]:
        before, self.state = self.state, TRANSITIONS.get((self.state, cue), self.state)
        if before is self.state:
            return []
        if self.state is State.HELD:
            self._begin()
        if self.state is State.HEARD:
            kept, self._kept = bytes(self._kept), bytearray()
            return [S2sEvent(kind="audio", pcm=kept)] if kept else []
        if before is not State.QUIET:
            self._kept.clear()
        if before is not State.HEARD:
            return []
        self.asked = None
        return [S2sEvent(kind="turn_done")]

    def _begin(self) -> None:
        self.answer += 1
        self.began = self._clock()
        self._named = False
        if self._turn is None:
            self._text = ""
        if self._kept and self._clock() - self._kept_since > EARLY_S:
            self._kept.clear()

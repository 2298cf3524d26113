"""What the ear tells a conversation of the caller's speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicebackend.errors import VoiceBackendError
from worker.pipelines.snapshot import EarSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is known of the speech under way."""

    speech_s: float
    """Seconds since it began, pauses included."""
    text: str = ""
    """Recognised so far."""
    silence_s: float = 0.0
    """Seconds since the last of it."""
    settled: bool = False
    """The caller is silent, and the text is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What a caller said in one turn."""

    text: str
    speech_s: float
    """How long it lasted."""
    speech_end: float
    """When the last voiced audio was heard; seconds of the loop's clock."""
    decided: float
    """When the turn was taken to be over; seconds of the loop's clock."""
    last: int = 0
    """Number of the last frame of caller audio that was heard of it."""


class Hearing(Protocol):
    """An ear, as a conversation uses it."""

    deaf: bool
    """Audio is not heard: the caller is on hold."""

    @property
    def hears_speech(self) -> bool:
        """Whether the caller is within a turn."""
        ...

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take caller audio; never waits. ``again``: another worker had heard it, so it is heard on hold, too."""

    def snapshot(self) -> EarSnapshot:
        """Return from where another ear must hear again."""
        ...

    def restore(self, snapshot: EarSnapshot) -> None:
        """Before ``run``: be about to hear again from where another ear says."""

    def heard_again(self) -> None:
        """Hear that from now on audio is new; the listener hears of it when all before was heard."""

    async def run(self) -> None:
        """Listen until cancelled, or until there is nothing more to hear."""


class Listener(Protocol):
    """Hears of what the ear noticed, in order; what returns at once must, the rest may take its time."""

    def hears(self, heard: Heard) -> None:
        """The caller speaks, or pauses."""

    def partial(self, text: str) -> None:
        """Recognition has come further."""

    def may_be_over(self, text: str) -> None:
        """The caller has paused after something that sounds finished."""

    def caught_up(self) -> None:
        """All that another worker's ear had heard was heard again."""

    async def said(self, utterance: Utterance) -> None:
        """A turn is over."""

    def said_nothing(self) -> None:
        """What sounded like speech had no words."""

    def failed(self, error: VoiceBackendError) -> None:
        """What the caller is saying is lost."""

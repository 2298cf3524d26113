"""What the ear tells a conversation of the caller's speech."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from voicebackend.digits import Collected
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
    typed: bool = False
    """Nothing of it was heard: whoever answers must be given the text."""
    last: int = 0
    """Number of the last frame of caller audio that was heard of it."""
    digits: Collected | None = None
    """What was pressed, where the agent had asked for keys."""
    voice: bytes = field(default=b"", repr=False)
    """All of its audio, where a model is to hear it, and its beginning was heard here."""

    def when(self, moment_of: Callable[[float], int]) -> dict[str, int]:
        """Return what the log is told of when it was said, and ``typed`` if it was not spoken."""
        times = {"from": moment_of(self.speech_end - self.speech_s), "to": moment_of(self.speech_end)}
        return {**times, "typed": True} if self.typed else times

    def with_more(self, more: Utterance) -> Utterance:
        """Return it with what was said after it, before it was answered."""
        began = min(self.speech_end - self.speech_s, more.speech_end - more.speech_s)
        voice = self.voice + more.voice if self.voice and more.voice else b""  # half of it would mislead
        return replace(more, text=f"{self.text} {more.text}", speech_s=more.speech_end - began, voice=voice)


class Hearing(Protocol):
    """An ear, as a conversation uses it."""

    deaf: bool
    """Audio is not heard: the caller is on hold."""

    @property
    def hears_speech(self) -> bool:
        """Whether the caller is within a turn."""
        ...

    @property
    def voice(self) -> bytes:
        """What was said so far in the turn under way, where a model is to hear it."""
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

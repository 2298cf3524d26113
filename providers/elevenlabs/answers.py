"""What an agent says, sorted into answers; pure.

Nothing marks where an answer begins, and some agents only tell where it ends. So an answer begins with its text or its
first sound, and ends when that is told, the caller interrupts it, the next begins, or nothing has come for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from providers.elevenlabs.codec import Answer, Answered, Interrupted, Speech
from providers.elevenlabs.formats import Downlink
from providers.elevenlabs.words import WordClock
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent

THINKS_S = 10.0
"""Seconds after its text in which an answer's first sound must come."""
QUIET_S = 1.0
"""Seconds after a sound in which the next of the answer must come: audio comes faster than it is heard."""
RESTS_S = 0.4
"""The same once the agent has told that it has said all."""


class State(StrEnum):
    """What is done with the agent's audio."""

    IDLE = "idle"
    """It begins an answer."""
    SPEAKING = "speaking"
    """It belongs to the answer under way."""
    CUT = "cut"
    """It belongs to one that nobody wants to hear."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event, and the answer that it is part of; 0 for none."""

    event: S2sEvent
    answer: int = 0


class Answers:
    """One conversation's. Times are seconds of any clock that does not go back."""

    def __init__(self, downlink: Downlink, sample_rate: int, *, greets: bool) -> None:
        self._downlink, self._bytes_per_s = downlink, sample_rate * SAMPLE_BYTES
        self._greets = greets
        self._barrier = -1
        """No audio with an id up to this is to be heard."""
        self.number = 0
        """Counts the answers; the one under way, or the last."""
        self._rest()

    def _rest(self) -> None:
        """Begin anew with what comes."""
        self.state = State.IDLE
        self.due: float | None = None
        """When the answer under way ends if nothing comes."""
        self._named = self._said_all = False
        self._heard_s = 0.0
        self._words = WordClock()

    def __repr__(self) -> str:
        return f"<Answers [{self.number}, {self.state}]>"

    def asked(self) -> None:
        """Hear that the caller has said something: what comes now answers it."""
        self._greets = True
        if self.state is State.CUT:
            self._rest()

    def take(self, message: Answer | Answered | Speech | Interrupted, now: float) -> list[Said]:
        """Take what the agent says; return what that is to the caller."""
        match message:
            case Answer():
                return self._name(message.text, now)
            case Speech():
                return self._speak(message, now)
            case Answered():
                self._said_all = self.state is not State.IDLE
                self._wait(now)
                return []
            case Interrupted():
                self._barrier = max(self._barrier, message.event_id)
                return self.end()

    def end(self) -> list[Said]:
        """End the answer under way: all of it has come, or all that will."""
        spoke, rest = self.state is State.SPEAKING, self._downlink.flush()
        self._rest()
        if not spoke:
            return []
        return [*self._audio(rest), self._said("turn_done")]

    def cut(self) -> list[Said]:
        """End the answer under way, and drop what still comes of it."""
        if self.state is not State.SPEAKING:
            return []
        self.state = State.CUT
        self._downlink.flush()
        return [self._said("turn_done")]

    def _name(self, text: str, now: float) -> list[Said]:
        """Take an answer's text, of the one that sounds already if that has none."""
        said = self.end() if self._named else []
        if self.state is State.IDLE:
            self._begin()
        self._named, self._words = True, WordClock(text)
        self._wait(now)
        return [*said, self._said("agent_text", text=text, final=True)] if self.state is State.SPEAKING else said

    def _speak(self, message: Speech, now: float) -> list[Said]:
        if message.event_id <= self._barrier:
            return []
        if self.state is State.IDLE:
            self._begin()
        said = self._sound(message) if self.state is State.SPEAKING else []
        self._wait(now)
        return [*said, *self.end()] if message.last else said

    def _sound(self, message: Speech) -> list[Said]:
        words = self._words.push(message.letters, offset_s=self._heard_s) if message.letters else []
        pcm = self._downlink.push(message.audio)
        self._heard_s += len(pcm) / self._bytes_per_s
        return [*([self._said("agent_text", words=tuple(words))] if words else []), *self._audio(pcm)]

    def _audio(self, pcm: bytes) -> list[Said]:
        return [self._said("audio", pcm=pcm)] if pcm else []

    def _said(self, kind: str, **fields: Any) -> Said:
        return Said(S2sEvent(kind=kind, **fields), self.number)

    def _wait(self, now: float) -> None:
        """Say how long the next of the answer under way has."""
        if self.state is not State.IDLE:
            patience_s = RESTS_S if self._said_all else QUIET_S
            self.due = now + (patience_s if self._heard_s else THINKS_S)

    def _begin(self) -> None:
        """Begin an answer; one to nobody where the call goes on is a greeting, which the caller has had before."""
        self.state = State.SPEAKING if self._greets else State.CUT
        self.number += 1

"""What is going on between the caller and whichever model is live, by what both say. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from providers.failover.backlog import Backlog
from providers.failover.hold_tone import HoldTone
from providers.failover.memory import Memory, Said
from providers.failover.waiting import SILENCE_S, Waiting
from voicebackend.agents import HistoryEntry
from voicebackend.audio import SAMPLE_BYTES, Resampler
from voicebackend.interfaces import S2sEvent

_OF_THE_CALLER = frozenset({"speech_started", "speech_stopped", "user_text"})


class _Speech(Enum):
    """The caller's, as it was told last."""

    NONE = auto()
    UNDER_WAY = auto()
    STOPPED = auto()
    """Its words may still come."""


class Exchange:
    """One conversation's; moments are seconds of any clock."""

    def __init__(
        self,
        history: Sequence[HistoryEntry],
        *,
        answers: bool,
        sample_rate: int,
        timeout_s: float | None,
        sounds: bool = False,
    ) -> None:
        """``sounds``: whoever waits for an answer hears the hold tone."""
        self.hold_tone = HoldTone(sample_rate, wanted=sounds and answers)
        self._tone_over = False
        self.backlog, self.memory, self.waiting = Backlog(), Memory(history), Waiting(timeout_s)
        self._answers, self._rate = answers, sample_rate
        self._resampler = Resampler(sample_rate, sample_rate)
        self._answer: Said | None = None
        """Under way."""
        self.texts: deque[str] = deque()
        """Given to be said, and not begun."""
        self._text = ""
        """Of them, the one that the answer under way says."""
        self._again = False
        """What the live model tells of the caller was told: it hears again what another had understood."""
        self._speech = _Speech.NONE

    # ------------------------------------------------------------ from the caller's side

    def heard(self, pcm: bytes, now: float) -> bool:
        """Take caller audio; tell whether something is expected of the model now that was not before."""
        self.backlog.push(pcm)
        expected = self.waiting.hears(pcm, now)
        if expected:
            self.hold_tone.waits(now - SILENCE_S)
        if self.waiting.loud:
            self.backlog.begin()
        return expected

    def given(self, text: str, now: float) -> None:
        """Take a text that is to be spoken."""
        self.texts.append(text)
        self.waiting.expect(now)

    def typed(self, text: str, now: float) -> None:
        """Take a text in the place of the caller's speech."""
        self.memory.understood(text, answered=False)
        self.waiting.expect(now)
        self.hold_tone.waits(now)

    def interrupted(self, played_ms: float) -> None:
        """Note how much was heard of what the caller spoke over; what waited to be said is dropped."""
        self.memory.cut(played_ms)
        self.texts.clear()

    # ------------------------------------------------------------ from one model to the next

    def left(self, now: float) -> tuple[list[S2sEvent], tuple[str, ...]]:
        """Note that the model is given up; return what is to be told of that, and what is lost with it.

        An answer ends, and who was heard to fall silent, but not what they said, counts as speaking still.
        """
        self.waiting.gave_up(now)
        told = [S2sEvent(kind="speech_started")] if self._speech is _Speech.STOPPED else []
        answer, self._answer = self._answer, None
        if answer is None:
            return told, ()
        if answer.made_ms:
            return [*told, S2sEvent(kind="turn_done")], ("speech",)
        self.memory.takes_back()
        if self._text:
            self.texts.appendleft(self._text)
            return told, ()
        return [*told, S2sEvent(kind="turn_done")], ()

    def begins(self, sample_rate: int, now: float, *, by_text: bool) -> int:
        """Note that a model of this rate is reached; return the number of the last audio that it need not hear.

        ``by_text``: what is not answered is told to it in writing.
        """
        unanswered = bool(self.memory.unanswered)
        self._resampler = Resampler(sample_rate, self._rate)
        self._again = unanswered and not by_text
        if unanswered or self.texts:
            self.waiting.expect(now)
        if unanswered:
            self.hold_tone.waits(now)
        return self.backlog.ended if unanswered and by_text else 0

    # ------------------------------------------------------------ from the model's side

    def take(self, event: S2sEvent, now: float) -> S2sEvent | None:
        """Note what an event means, and return it as it is to be told; None where that was told before."""
        if event.kind == "usage":
            return event
        if event.kind in _OF_THE_CALLER:
            return self._of_the_caller(event, now)
        if event.kind == "turn_done":
            self._answer = None
            self._resampler.flush()  # a few milliseconds, silent as a rule
            return event
        self.waiting.came(now)
        if event.kind == "agent_heard":
            self.memory.told(event.text)
            return event
        return self._of_the_model(event)

    def _of_the_caller(self, event: S2sEvent, now: float) -> S2sEvent | None:
        if self._again:
            self._again = not event.final
            return None
        self.waiting.came(now)
        match event.kind:
            case "speech_started":
                self._speech = _Speech.UNDER_WAY
                self.waiting.speaks()
                self._tone_ends()
                self.backlog.begin()
                self.memory.spoken_over()
            case "speech_stopped":
                self._speech = _Speech.STOPPED
                self.backlog.end()
                self.waiting.expect(now)
                self.hold_tone.waits(now - event.silence_s)
            case _ if event.final:
                self._speech = _Speech.NONE
                self._understood(event.text.strip(), event.silence_s, now)
            case _:
                self.waiting.speaks()
        return event

    def _understood(self, text: str, silence_s: float, now: float) -> None:
        """All is known of what the caller said; an answer is expected, unless it is there, or is not the model's."""
        self.backlog.end()
        answered = self._answer is not None
        if text and self._answers:
            self.memory.understood(text, answered=answered)
        if text and self._answers and not answered:
            self.waiting.expect(now)
            self.hold_tone.waits(now - silence_s)
        else:
            self._tone_ends()
            self.backlog.answered()

    def _of_the_model(self, event: S2sEvent) -> S2sEvent:
        if self._answer is None:
            self.hold_tone.over()
            self._answer = self.memory.begins()
            self._text = self.texts.popleft() if self.texts else ""
        if event.kind == "agent_text":
            self._answer.text = event.text if event.final else self._answer.text + event.text
            return event
        if not self._answer.made_ms:
            self.backlog.answered()
        pcm = self._resampler.process(event.pcm)
        self._answer.made_ms += len(pcm) / SAMPLE_BYTES / self._rate * 1000
        return replace(event, pcm=pcm)

    # ------------------------------------------------------------ the hold tone, which begins an answer

    def sounded(self, now: float) -> S2sEvent:
        """Return the hold tone, which is due."""
        return S2sEvent(kind="hold_tone", pcm=self.hold_tone.sound(now))

    def tone_ended(self) -> bool:
        """Tell, once, that no answer follows the tone that has sounded."""
        ended, self._tone_over = self._tone_over, False
        return ended

    def _tone_ends(self) -> None:
        self._tone_over = self.hold_tone.over() or self._tone_over

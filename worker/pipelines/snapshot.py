"""What a conversation is at one moment, so that another worker can go on with it. Pure data, kilobytes at most.

Moments are seconds of the loop's clock of who took the snapshot; ``shifted`` brings them to another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import Base64Bytes

from voicebackend.digits import CollectDigits, Collected
from voicebackend.interfaces import WordTime
from voicebackend.session import PipelineState
from worker.speech.clauses import Uncut
from worker.speech.heard import Seam

MAX_TEXT = 8_000
"""Characters of an answer, begun or not, that are carried over: about nine minutes of speech."""
MAX_CLIP_BYTES = 64_000
"""Of the application's audio that waits: 2 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseSnapshot:
    """A clause: how much of its audio was made, and where in the turn's audio it lies, in milliseconds."""

    text: str
    silent: bool = False
    """Not spoken: code, or nothing but signs."""
    interruptible: bool = True
    start_ms: float | None = None
    made_ms: float = 0.0
    complete: bool = False
    words: tuple[WordTime, ...] = ()
    seams: tuple[Seam, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSnapshot:
    """A question to the agent's task."""

    attempt: int
    transcript: str
    committed: bool
    claimed: bool
    next_delta: int
    latest: int
    """Attempt of its turn."""
    cancelled: int = 0
    deadline: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSnapshot:
    """A question, and what of its answer was received and is in no clause yet."""

    turn: int
    text: str = ""
    end: str = ""
    """``done``, or an error's code, once the answer has ended."""
    message: str = ""
    """Of the error."""
    task: TaskSnapshot | None = None
    """None: nobody was asked."""
    collect: CollectDigits | None = None
    """Keys that it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSnapshot:
    """When the caller's final text was there, and the first of what followed; None what is still to come."""

    transcribed: float
    text: float | None = None
    clause: float | None = None
    audio: float | None = None

    def shifted(self, seconds: float) -> FirstSnapshot:
        """Return it with its moments so much later."""
        text, clause, audio = (None if at is None else at + seconds for at in (self.text, self.clause, self.audio))
        return FirstSnapshot(transcribed=self.transcribed + seconds, text=text, clause=clause, audio=audio)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSnapshot:
    """One turn's answer."""

    question: QuestionSnapshot
    committed: bool = True
    timed: bool = False
    speech_end: float = 0.0
    decided: float = 0.0
    clauses: tuple[ClauseSnapshot, ...] = ()
    waiting: tuple[ClauseSnapshot, ...] = ()
    """Cut, and not at the voice yet."""
    uncut: Uncut = field(default_factory=Uncut)
    over: bool = False
    """The agent's text has ended, with an apology or without."""
    begun: bool = False
    """The agent's first text, or a filler, was there."""
    sent_ms: float = 0.0
    base_ms: float = 0.0
    """Of the turn, that earlier sockets had played."""
    first: FirstSnapshot | None = None
    stretches: tuple[tuple[float, float], ...] = ()
    """Where playout began to run each time: seconds of the turn's audio, and when."""
    clip: Base64Bytes = b""
    """Of the application's audio that this is, what was not sent yet."""
    is_clip: bool = False

    @property
    def turn(self) -> int:
        """Return the turn's number."""
        return self.question.turn

    def shifted(self, seconds: float) -> AnswerSnapshot:
        """Return it with its moments so much later."""
        task = self.question.task
        if task is not None and task.deadline:
            task = replace(task, deadline=task.deadline + seconds)
        return replace(
            self,
            question=replace(self.question, task=task),
            first=self.first and self.first.shifted(seconds),
            stretches=tuple((place, at + seconds) for place, at in self.stretches),
            speech_end=self.speech_end + seconds,
            decided=self.decided + seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceSnapshot:
    """What the caller said, not answered yet; with a turn once it has one."""

    text: str
    speech_s: float
    speech_end: float
    decided: float
    turn: int = 0
    logged: bool = False
    typed: bool = False
    digits: Collected | None = None

    def shifted(self, seconds: float) -> UtteranceSnapshot:
        """Return it with its moments so much later."""
        return replace(self, speech_end=self.speech_end + seconds, decided=self.decided + seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarSnapshot:
    """Where the caller's audio must be heard again from, and what was recognised of the utterance before that."""

    first: int = 1
    """Number of the first frame to be heard again; frames that came count from 1."""
    text: str = ""
    speech_s: float = 0.0
    in_turn: bool = False

    def whole(self, text: str) -> str:
        """Return what was recognised since, with what another worker had recognised of the same utterance."""
        return f"{self.text} {text}".strip() if self.text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceSnapshot:
    """The clocks of silence."""

    ends_at: float
    since: float | None = None
    prompted: int = 0
    parting: str = ""
    """Why the call ends, while the goodbye is said."""

    def shifted(self, seconds: float) -> PresenceSnapshot:
        """Return it with its moments so much later."""
        since = None if self.since is None else self.since + seconds
        return replace(self, ends_at=self.ends_at + seconds, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypadSnapshot:
    """Keys that are collected, and sensitive mode."""

    turn: int = 0
    """In which the agent asked for them."""
    masked_until: float = 0.0
    """When sensitive mode is over at the latest; 0 outside it."""
    request: CollectDigits | None = None
    """None: none are collected any more."""
    phase: str = ""
    opened: float = 0.0
    since: float = 0.0
    keys: str = field(default="", repr=False)
    """So far; sealed if they are sensitive."""
    said_again: int = 0

    def shifted(self, seconds: float) -> KeypadSnapshot:
        """Return it with its moments so much later."""
        masked_until = self.masked_until and self.masked_until + seconds
        return replace(self, masked_until=masked_until, opened=self.opened + seconds, since=self.since + seconds)

    def over(self) -> KeypadSnapshot:
        """Return it when what was collected has become a turn; sensitive mode goes on."""
        return KeypadSnapshot(turn=self.turn, masked_until=self.masked_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueSnapshot:
    """A whole conversation."""

    turn: int
    greeted: bool
    on_hold: bool
    away: bool
    """The caller's socket is gone, for now."""
    state: PipelineState
    presence: PresenceSnapshot
    ear: EarSnapshot = EarSnapshot()
    waiting: UtteranceSnapshot | None = None
    asking: UtteranceSnapshot | None = None
    """Being written into the log, before the agent is asked."""
    answer: AnswerSnapshot | None = None
    guess: AnswerSnapshot | None = None
    guess_text: str = ""
    guesses: int = 0
    attempts: tuple[int, int, int] = (0, 0, 0)
    """A turn, its latest attempt, and the latest that was cancelled."""
    cut: tuple[AnswerSnapshot, ...] = ()
    """Interrupted, and what was heard of them is not noted down yet."""
    clips: tuple[Base64Bytes, ...] = ()
    """The application's audio that waits."""
    keypad: KeypadSnapshot | None = None

    def shifted(self, seconds: float) -> DialogueSnapshot:
        """Return it with its moments so much later."""
        return replace(
            self,
            presence=self.presence.shifted(seconds),
            keypad=self.keypad and self.keypad.shifted(seconds),
            waiting=self.waiting and self.waiting.shifted(seconds),
            asking=self.asking and self.asking.shifted(seconds),
            answer=self.answer and self.answer.shifted(seconds),
            guess=self.guess and self.guess.shifted(seconds),
            cut=tuple(answer.shifted(seconds) for answer in self.cut),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a caller's side is in the latest turn whose audio came, as it told its new speaker."""

    turn: int
    received_ms: float
    """Of its audio, played or still to be played."""
    played_ms: float
    paused: bool

"""What became of a session after its last checkpoint: the log and the turn's hash, which were written later, count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from worker.checkpoint import SessionSnapshot
from worker.pipelines.snapshot import (
    AnswerSnapshot,
    DialogueSnapshot,
    EarSnapshot,
    QuestionSnapshot,
    TaskSnapshot,
    UtteranceSnapshot,
)
from worker.session_log import SessionLog
from worker.turns.speculation import close_enough


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnHash:
    """What is known of a turn's attempts."""

    current: int = 0
    claimed: int = 0
    cancelled: int = 0
    committed: int = 0
    said: str = ""

    @classmethod
    def of(cls, fields: Sequence[bytes | None]) -> TurnHash:
        """Read ``FIELDS`` of a turn's hash."""
        texts = [(field or b"").decode("utf-8", "replace") for field in fields]
        numbers = [int(text) if text.isdecimal() else 0 for text in texts[:-1]]
        current, claimed, cancelled, committed = numbers
        return cls(current=current, claimed=claimed, cancelled=cancelled, committed=committed, said=texts[-1])


FIELDS = ("current", "claimed", "cancelled", "committed", "said")


async def recovered(
    snapshot: SessionSnapshot, log: SessionLog, wire: Wire, turn_key: Callable[[int], str], *, now: float
) -> SessionSnapshot:
    """Return a snapshot, its moments on our clock, with what was written after it; raises ConnectionFailed."""
    tail = [entry for entry in await log.tail(snapshot.log_position) if entry.get("type") == "transcript"]
    if snapshot.dialogue is None:
        return snapshot
    noted = with_log(snapshot, tail, now)
    assert noted.dialogue is not None  # noqa: S101 - as before
    turn = open_turn(noted.dialogue)
    with redis_errors("recovery"):
        [fields] = await wire.execute(("HMGET", turn_key(turn), *FIELDS))
    return replace(noted, dialogue=with_turn(noted.dialogue, turn, TurnHash.of(fields)))


def with_log(snapshot: SessionSnapshot, tail: Sequence[Mapping[str, Any]], now: float) -> SessionSnapshot:
    """Return a snapshot with the transcripts that were noted down after it was taken."""
    for entry in tail:
        assert snapshot.dialogue is not None  # noqa: S101 - checked by the caller
        turn = int(entry.get("turn", 0))
        if entry.get("role") == "agent":
            snapshot = replace(snapshot, dialogue=_spoken(snapshot.dialogue, turn))
        else:
            snapshot = _said(snapshot, turn, entry, now)
    return snapshot


def open_turn(dialogue: DialogueSnapshot) -> int:
    """Return the turn whose attempts matter: the one that is asked or answered, else the next."""
    if dialogue.asking is not None:
        return dialogue.asking.turn
    if dialogue.answer is not None and dialogue.answer.question.task is not None:
        return dialogue.answer.turn
    return dialogue.turn + 1


def with_turn(dialogue: DialogueSnapshot, turn: int, found: TurnHash) -> DialogueSnapshot:
    """Return a conversation with what is known of a turn's attempts: one that is at work is not asked again."""
    if not found.current:
        return dialogue
    cancelled = max(found.cancelled, dialogue.attempts[2] if dialogue.attempts[0] == turn else 0)
    dialogue = replace(dialogue, attempts=(turn, found.current, cancelled))
    asking, answer, guess = dialogue.asking, dialogue.answer, dialogue.guess
    if guess is not None and guess.question.task is not None and guess.question.task.attempt != found.current:
        dialogue = replace(dialogue, guess=None)
    if asking is not None and asking.logged:
        return _asked(dialogue, asking, found)
    if answer is not None and answer.turn == turn and answer.question.task is not None:
        task = _task(answer.question.task, found)
        return replace(dialogue, answer=replace(answer, question=replace(answer.question, task=task)))
    return dialogue


def _spoken(dialogue: DialogueSnapshot, turn: int) -> DialogueSnapshot:
    """The agent's words of a turn are noted down: it is over."""
    answer = dialogue.answer if dialogue.answer is not None and dialogue.answer.turn != turn else None
    cut = tuple(before for before in dialogue.cut if before.turn != turn)
    return replace(dialogue, answer=answer, cut=cut, turn=max(dialogue.turn, turn))


def _said(snapshot: SessionSnapshot, turn: int, entry: Mapping[str, Any], now: float) -> SessionSnapshot:
    """The caller's words of a turn are noted down: they are not heard again, and are to be answered."""
    dialogue = snapshot.dialogue
    assert dialogue is not None  # noqa: S101 - checked by the caller
    if dialogue.answer is not None and dialogue.answer.turn >= turn:
        return snapshot
    known = dialogue.asking
    text = str(entry.get("text", ""))
    asking = known if known is not None and known.turn == turn else None
    asking = asking or UtteranceSnapshot(text=text, speech_s=0.0, speech_end=now, decided=now, turn=turn)
    guess = dialogue.guess if dialogue.guess is not None and dialogue.guess.turn == turn else None
    dialogue = replace(
        dialogue,
        asking=replace(asking, text=text, logged=True),
        waiting=None if known is None else dialogue.waiting,
        answer=None,
        guess=guess,
        turn=max(dialogue.turn, turn),
        keypad=dialogue.keypad and dialogue.keypad.over(),
    )
    seq = int(entry.get("audio_seq", 0))
    attached = snapshot.attachment is not None and entry.get("attachment") == snapshot.attachment.id
    if attached and seq > snapshot.audio_seq:
        return replace(snapshot, dialogue=replace(dialogue, ear=EarSnapshot()), audio_seq=seq)
    return replace(snapshot, dialogue=dialogue)


def _asked(dialogue: DialogueSnapshot, asking: UtteranceSnapshot, found: TurnHash) -> DialogueSnapshot:
    """Go on with the attempt that is at work on what the caller said."""
    if found.cancelled >= found.current or not close_enough(found.said, asking.text):
        return dialogue
    guess = dialogue.guess
    if guess is not None and guess.question.task is not None and guess.question.task.attempt == found.current:
        task = replace(_task(guess.question.task, found), transcript=asking.text)
        answer = replace(guess, question=replace(guess.question, task=task), committed=True)
    else:
        task = TaskSnapshot(
            attempt=found.current,
            transcript=asking.text,
            committed=found.committed == found.current,
            claimed=found.claimed >= found.current,
            next_delta=0,
            latest=found.current,
            cancelled=found.cancelled,
        )
        answer = AnswerSnapshot(question=QuestionSnapshot(turn=asking.turn, task=task))
    return replace(dialogue, asking=None, guess=None, guesses=0, answer=answer)


def _task(task: TaskSnapshot, found: TurnHash) -> TaskSnapshot:
    """Return a question by what its turn's hash says; a later attempt has told nothing yet."""
    same = task.attempt == found.current
    return replace(
        task,
        attempt=found.current,
        latest=max(task.latest, found.current),
        claimed=found.claimed >= found.current or (same and task.claimed),
        committed=found.committed == found.current,
        next_delta=task.next_delta if same else 0,
    )

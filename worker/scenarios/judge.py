"""Compares what was expected with what was seen. Pure: sightings in, complaints out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from voicebackend.cli.words import words
from worker.scenarios.expectations import Counts, Expectations, Remembered
from worker.scenarios.outcome import outcome
from worker.scenarios.seen import Seen
from worker.scenarios.sightings import Kind, Sighting
from worker.scenarios.timeline import Event, Finder
from worker.scenarios.wording import alike

LATE_S = 0.6
"""With real engines: seconds by which things may happen sooner or later."""
_EPSILON_S = 0.001


class Exactness(NamedTuple):
    """How words and times are compared."""

    finder: Finder
    slack: int
    """Words more or fewer at an interruption."""
    late_s: float
    """Seconds by which things may happen sooner or later."""


def judge(expected: Expectations, seen: Seen, *, real: bool = False) -> list[str]:
    """Return what is not as expected, a line or more each; ``real`` engines need not be right in every word."""
    if real:
        exactness = Exactness(Finder(loose=True), expected.slack + 2, LATE_S)
    else:
        exactness = Exactness(Finder(), expected.slack, _EPSILON_S)
    return [
        *seen.problems,
        *_order(_for(expected.order, seen), seen.events, exactness),
        *_absent(_for(expected.absent, seen), seen.events),
        *_counts(expected.counts, seen),
        *_heard(expected, seen, exactness),
        *_history(expected, seen, exactness),
        *(_remembered(seen, exactness) if expected.history_as_heard else ()),
        *_answers(expected, seen, exactness.late_s),
        *([f"{seen.late} frames came late"] if seen.late and not expected.late_frames else []),
    ]


def _for(wanted: Sequence[Sighting], seen: Seen) -> list[Sighting]:
    """Return the sightings with this caller's number in them."""
    number = str(seen.number)
    return [sighting.model_copy(update={"text": sighting.text.replace("{n}", number)}) for sighting in wanted]


def _order(wanted: Sequence[Sighting], events: Sequence[Event], exactness: Exactness) -> list[str]:
    at, before_s = 0, 0.0
    for number, sighting in enumerate(wanted, 1):
        found = exactness.finder.find(events, sighting, at)
        if found is None:
            place = f"after {events[at - 1]}" if at else "at all"
            return [f"order, line {number}: expected {sighting}; not seen {place}"]
        passed = events[found].at - before_s
        if sighting.within is not None and passed > sighting.within + exactness.late_s:
            return [f"order, line {number}: expected {sighting}; it took {passed:.3f} s: {events[found]}"]
        if sighting.after is not None and passed < sighting.after - exactness.late_s:
            return [f"order, line {number}: expected {sighting}; it took only {passed:.3f} s: {events[found]}"]
        at, before_s = _next(events, found, exactness), events[found].at
    return []


def _next(events: Sequence[Event], found: int, exactness: Exactness) -> int:
    """Return from where on the next is looked for: with real engines, things that happen at once may change places."""
    if not exactness.finder.loose:
        return found + 1
    return next(at for at, event in enumerate(events) if event.at >= events[found].at - exactness.late_s / 2)


def _absent(wanted: Sequence[Sighting], events: Sequence[Event]) -> list[str]:
    found = ((sighting, Finder().find(events, sighting)) for sighting in wanted)
    return [f"seen, and must not be: {sighting}: {events[at]}" for sighting, at in found if at is not None]


def _kinds(kind: Kind) -> Callable[[Seen], int]:
    return lambda seen: sum(event.kind is kind for event in seen.events)


_COUNTED: dict[str, Callable[[Seen], int]] = {
    "stt_streams": lambda seen: seen.stt_streams,
    "turns": _kinds(Kind.UNDERSTOOD),
    "asked": _kinds(Kind.ASKED),
    "answers": lambda seen: sum(question.committed for question in seen.agent.questions),
    "dropped": lambda seen: sum(not question.committed for question in seen.agent.questions),
    "retries": lambda seen: outcome(seen).retries,
    "effects": _kinds(Kind.EFFECT),
    "pauses": _kinds(Kind.PAUSE),
    "clears": _kinds(Kind.CLEAR),
    "resumes": _kinds(Kind.RESUME),
    "errors": _kinds(Kind.ERROR),
    "interruptions_told": lambda seen: seen.interruptions_told,
}


def _counts(wanted: Counts, seen: Seen) -> list[str]:
    given = wanted.model_dump(exclude_none=True)
    found = {name: _COUNTED[name](seen) for name in given}
    return [f"{name}: expected {given[name]}, seen {found[name]}" for name in given if given[name] != found[name]]


def _heard(expected: Expectations, seen: Seen, exactness: Exactness) -> list[str]:
    if expected.heard is None:
        return []
    heard = [text for _, text in sorted(seen.heard.items()) if text]
    wanted = [text.replace("{n}", str(seen.number)) for text in expected.heard]
    whole = exactness._replace(slack=0)
    if len(heard) == len(wanted) and all(_same(*pair, whole) for pair in zip(wanted, heard, strict=True)):
        return []
    return ["heard:", *_side_by_side(wanted, heard)]


def _history(expected: Expectations, seen: Seen, exactness: Exactness) -> list[str]:
    if expected.history is None:
        return []
    found = [line for _, line in seen.history]
    wanted = [_numbered(line, seen.number) for line in expected.history]
    if len(found) == len(wanted) and all(_alike(*pair, exactness) for pair in zip(wanted, found, strict=True)):
        return []
    return ["history:", *_side_by_side([str(line) for line in wanted], [str(line) for line in found])]


def _numbered(line: Remembered, number: int) -> Remembered:
    return Remembered(
        **{line.role: line.text.replace("{n}", str(number)), "interrupted": line.interrupted},
    )


def _alike(wanted: Remembered, found: Remembered, exactness: Exactness) -> bool:
    if (wanted.role, wanted.interrupted) != (found.role, found.interrupted):
        return False
    if not exactness.finder.loose and not exactness.slack:
        return wanted.text == found.text
    return _same(wanted.text, found.text, exactness if wanted.interrupted else exactness._replace(slack=0))


def _same(wanted: str, found: str, exactness: Exactness) -> bool:
    """Tell whether two texts have the same words, but for a few at the end."""
    ours, theirs = words(wanted), words(found)
    size = min(len(ours), len(theirs))
    if exactness.finder.loose and alike(wanted, found):
        return True
    if abs(len(ours) - len(theirs)) > exactness.slack:
        return False
    if exactness.finder.loose:
        return alike(" ".join(ours[:size]), " ".join(theirs[:size]))
    return ours[:size] == theirs[:size]


def _remembered(seen: Seen, exactness: Exactness) -> list[str]:
    """Complain where the agent remembers other words of its own than were heard."""
    complaints = []
    remembered = {turn: line for turn, line in seen.history if line.role == "agent"}
    for turn in sorted({*remembered, *(turn for turn, text in seen.heard.items() if text)}):
        line, heard = remembered.get(turn), seen.heard.get(turn, "")
        slack = exactness.slack if line is None or line.interrupted else 0
        begun = seen.begun.get(turn, "") if line is not None and line.interrupted else ""
        told = _without_begun(line.text if line else "", heard, begun)
        if not _same(heard, told, exactness._replace(slack=slack)):
            complaints.append(
                f"turn {turn}: the agent remembers {line or 'nothing'!s}; "
                f"heard was: {heard or 'nothing'}{f' {begun}…' if begun else ''}"
            )
    return complaints


def _without_begun(told: str, heard: str, begun: str) -> str:
    """Leave out a last word that had only begun to sound: whether it counts as heard is a matter of taste."""
    rest, _, last = told.rpartition(" ")
    return rest if begun and last.startswith(begun) and words(rest) == words(heard) else told


def _answers(expected: Expectations, seen: Seen, late_s: float) -> list[str]:
    limit = expected.answers_within
    if limit is None:
        return []
    complaints = []
    for at, event in enumerate(seen.events):
        if event.kind is Kind.UNDERSTOOD:
            ended = max((e.at for e in seen.events[: at + 1] if e.kind is Kind.SAID), default=event.at)
            answer = next((e for e in seen.events[at:] if e.kind is Kind.SPEAKS), None)
            if answer is None:
                complaints.append(f"never answered: {event}")
            elif answer.at - ended > limit + late_s:
                complaints.append(f"answered after {answer.at - ended:.3f} s, expected {limit:g} s: {event}")
    return complaints


def _side_by_side(wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    lines = []
    for at in range(max(len(wanted), len(found))):
        ours = wanted[at] if at < len(wanted) else "(nothing)"
        theirs = found[at] if at < len(found) else "(nothing)"
        lines += [f"    {ours}"] if ours == theirs else [f"  - {ours}", f"  + {theirs}"]
    return lines

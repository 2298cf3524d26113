"""A session's transcript as a document: who said what and when, as it was heard, and what never was. Pure.

Times are milliseconds since the session's beginning; the agent's are on the caller's playout clock, as on a recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voicebackend.record import SessionRecord

VERSION = 1
"""Of the document's form, which docs/retention.md tells."""
UNHEARD = "unheard"
"""Type of the log's entry of an answer of which nothing was heard."""
LogEntry = tuple[float, Mapping[str, Any]]
"""When something was logged, seconds since the epoch, and what."""


def begun(at: float, entry: Mapping[str, Any]) -> float:
    """Return when what was logged began, in seconds since the epoch: what was said or done is logged when it is over.

    An answer begins with its first clause. What nobody timed counts from when it was logged.
    """
    first = next(iter(entry.get("spoken", ())), entry).get("from")
    return min(at, first / 1000) if isinstance(first, int | float) else at


def transcript(record: SessionRecord, log: Sequence[LogEntry]) -> dict[str, Any]:
    """Return what was said, as far as it was heard, in the order in which it began."""
    began_ms = record.created_at * 1000
    segments = [_segment(entry, at * 1000, began_ms) for at, entry in log if entry.get("final")]
    segments += [_unheard(entry, at * 1000, began_ms) for at, entry in log if entry["type"] == UNHEARD]
    language = record.metadata.get("language")
    known = {"language": language} if isinstance(language, str) else {}
    return {"version": VERSION, **known, "segments": sorted(segments, key=lambda segment: segment["start_ms"])}


def _segment(entry: Mapping[str, Any], logged_ms: float, began_ms: float) -> dict[str, Any]:
    """Return what one side said in a turn; where nobody told when, the time at which it was known counts."""
    clauses = [_clause(clause, began_ms) for clause in entry.get("spoken", ())]
    start_ms = clauses[0]["start_ms"] if clauses else _since(entry.get("from", logged_ms), began_ms)
    end_ms = clauses[-1]["end_ms"] if clauses else _since(entry.get("to", logged_ms), began_ms)
    segment = {
        "turn": entry["turn"],
        "role": entry["role"],
        "text": entry["text"],
        "start_ms": start_ms,
        "end_ms": max(start_ms, end_ms),
        "interrupted": bool(entry.get("interrupted")),
    }
    if "cut" in entry:
        segment["cut_ms"] = _since(entry["cut"], began_ms)
    told = {name: entry[name] for name in ("unheard", "typed") if entry.get(name)}
    return {**segment, **told, **({"clauses": clauses} if clauses else {})}


def _unheard(entry: Mapping[str, Any], logged_ms: float, began_ms: float) -> dict[str, Any]:
    """Return an answer that was interrupted before a word of it was heard."""
    at_ms = _since(entry.get("cut", logged_ms), began_ms)
    times = {"start_ms": at_ms, "end_ms": at_ms, "cut_ms": at_ms}
    segment = {"turn": entry["turn"], "role": "agent", "text": "", **times, "interrupted": True}
    return {**segment, "unheard": entry["unheard"]}


def _clause(clause: Mapping[str, Any], began_ms: float) -> dict[str, Any]:
    times = {"start_ms": _since(clause["from"], began_ms), "end_ms": _since(clause["to"], began_ms)}
    words = [_word(word, began_ms) for word in clause.get("words", ())]
    return {"text": clause["text"], **times, **({"words": words} if words else {})}


def _word(word: Sequence[Any], began_ms: float) -> dict[str, Any]:
    text, start, end = word
    return {"word": text, "start_ms": _since(start, began_ms), "end_ms": _since(end, began_ms)}


def _since(at_ms: float, began_ms: float) -> int:
    return max(0, round(at_ms - began_ms))

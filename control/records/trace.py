"""What happened in a session and how long it took, as a document without a word of what was said. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from control.records.transcript import UNHEARD, LogEntry
from control.records.usage import usage
from voicebackend.record import SessionRecord
from voicebackend.turn_notes import TOOL

VERSION = 1
"""Of the document's form, which docs/retention.md tells."""
_SILENT = frozenset({"transcript", UNHEARD, "dtmf", TOOL})
"""Events that say what was said: they stand in documents of their own class only."""


def trace(record: SessionRecord, log: Sequence[LogEntry]) -> dict[str, Any]:
    """Return ``turns`` with the milliseconds of each stage, ``takeovers``, ``usage`` and all other ``events``."""
    told = [(at, entry) for at, entry in log if entry["type"] not in _SILENT]
    return {
        "version": VERSION,
        "engines": record.engines,
        "turns": [_turn(entry, _since(record, at)) for at, entry in told if entry["type"] == "turn"],
        "takeovers": [
            {"at_ms": _since(record, at), "epoch": entry["epoch"]} for at, entry in told if entry["type"] == "takeover"
        ],
        "usage": usage(record, log),
        "events": [{"at_ms": _since(record, at), **entry} for at, entry in told],
    }


def _turn(entry: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
    """Return how long a turn's stages took: see ``voicebackend.events.Latency``; ``hop`` is part of the agent's."""
    latency = {**entry.get("latency_ms", {}), **({"hop": entry["hop"]} if "hop" in entry else {})}
    engines = {"engines": entry["engines"]} if entry.get("engines") else {}
    return {"turn": entry["turn"], "at_ms": at_ms, "latency_ms": latency, **engines}


def _since(record: SessionRecord, at: float) -> int:
    return max(0, round((at - record.created_at) * 1000))

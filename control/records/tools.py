"""What the agent's tools were asked and answered in a session, as a document. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control.records.transcript import LogEntry
from voicebackend.record import SessionRecord
from voicebackend.turn_notes import TOOL

VERSION = 1
"""Of the document's form, which docs/retention.md tells."""


def tools(record: SessionRecord, log: Sequence[LogEntry]) -> dict[str, Any]:
    """Return the calls in their order; times are milliseconds since the session's beginning.

    ``attempt`` above 1: an answer before it was not wanted, or lost; what its tools did, they did.
    """
    began_ms = record.created_at * 1000
    calls = {}
    for _, entry in log:
        if entry.get("type") == TOOL:
            times = {"start_ms": round(entry["from"] - began_ms), "end_ms": round(entry["to"] - began_ms)}
            told = {name: entry[name] for name in ("turn", "attempt", "name", "arguments", "result")}
            more = {name: entry[name] for name in ("error", "masked") if name in entry}
            calls[entry["turn"], entry["attempt"], entry["number"]] = {**told, **times, **more}
    return {"version": VERSION, "calls": sorted(calls.values(), key=lambda call: call["start_ms"])}

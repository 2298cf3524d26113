"""What a session used, from its log: of the call, of its engines, of the models that its agent told of. Pure.

Workers log counts that only grow, so the highest counts, whichever worker wrote it; an agent's task logs each use
with a number, so one that was written twice counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from control.records.transcript import LogEntry
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.turn_notes import MODEL_USAGE

Usage = dict[str, dict[str, dict[str, float]]]
"""Role (``call``, ``stt``, ``tts``, ``s2s``, ``model``), name, unit: the amount."""


def usage(record: SessionRecord, log: Sequence[LogEntry]) -> Usage:
    """Return what a session that is over used; a role that it did not use is left out.

    ``call`` has the seconds from the moment at which its caller was first connected to its end, by transport.
    """
    found: Usage = {}
    active = next((at for at, entry in log if _is_active(entry)), None)
    if active is not None:
        found["call"] = {str(record.transport): {"seconds": round(max(0.0, record.ended_at - active), 3)}}
    for _, entry in log:
        for role, names in entry.get("usage", {}).items():
            for name, amounts in names.items():
                counts = found.setdefault(role, {}).setdefault(name, {})
                counts.update({unit: max(counts.get(unit, 0.0), amount) for unit, amount in amounts.items()})
    models = _models(log)
    return {**found, **({"model": models} if models else {})}


def _is_active(entry: Mapping[str, Any]) -> bool:
    return entry.get("type") == "session" and entry.get("state") == SessionState.ACTIVE


def _models(log: Sequence[LogEntry]) -> dict[str, dict[str, float]]:
    """Return the sums of what agents told, by ``provider`` or ``provider/model``."""
    told = {
        (entry["turn"], entry["attempt"], entry["number"]): entry
        for _, entry in log
        if entry.get("type") == MODEL_USAGE
    }
    sums: dict[str, dict[str, float]] = {}
    for entry in told.values():
        counts = sums.setdefault("/".join(filter(None, (entry["provider"], entry["model"]))), {})
        for unit, amount in entry["amounts"].items():
            counts[unit] = counts.get(unit, 0.0) + amount
    return sums

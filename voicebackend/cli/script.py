"""The demonstration's script: what the caller says, turn by turn, and what must come back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from voicebackend.cli.words import word_error

VOICES = Path(str(files("voicebackend.demo"))) / "voices"
MAX_WORD_ERROR = 0.25
"""Share of wrong words up to which something counts as understood."""
MAX_MEDIAN_MS = 600.0
"""Milliseconds from the caller's last word to the agent's first sound, in the middle of all turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that the caller says."""

    file: Path
    says: str
    answer_has: Sequence[str]
    """Phrases that the agent's answer must contain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that must be so."""

    name: str
    ok: bool
    found: str
    """What was measured or heard."""


def read_script(folder: Path = VOICES) -> list[Line]:
    """Return the lines in the order of the conversation."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return [Line(file=folder / entry["file"], says=entry["says"], answer_has=entry["answer_has"]) for entry in manifest]


def check_turn(number: int, line: Line, *, understood: str, answer: str, audible: str) -> list[Check]:
    """Judge a turn by what was understood, answered and, transcribed back, audible."""
    heard, spoken = word_error(line.says, understood), word_error(answer, audible)
    missing = [phrase for phrase in line.answer_has if not _contains(answer, phrase)]
    return [
        Check(
            name=f"turn {number}: the caller is understood",
            ok=heard <= MAX_WORD_ERROR,
            found=f"{heard:.0%} of the words wrong",
        ),
        Check(
            name=f"turn {number}: the answer is right",
            ok=not missing,
            found=f"missing: {', '.join(missing)}" if missing else "has all it must",
        ),
        Check(
            name=f"turn {number}: the answer is audible",
            ok=bool(answer) and spoken <= MAX_WORD_ERROR,
            found=f"{spoken:.0%} of the words wrong",
        ),
    ]


def check_latency(median_ms: float | None) -> Check:
    """Judge how soon the agent answers."""
    found = "not measured" if median_ms is None else f"{median_ms:.0f} ms"
    ok = median_ms is not None and median_ms <= MAX_MEDIAN_MS
    return Check(name=f"the agent answers within {MAX_MEDIAN_MS:.0f} ms (median)", ok=ok, found=found)


def check_trace(log: Sequence[str]) -> Check:
    """Judge whether the request that created the session, the agent's task and the engines' work share one trace.

    ``log`` has the stack's lines, each a process's name, a bar and JSON.
    """
    told = [entry for line in log if (entry := _entry(line))]
    reached = {
        (step, line.get("trace_id", ""))
        for line in told
        for step, fields in _STEPS.items()
        if fields.items() <= line.items()
    }
    traces = {trace for step, trace in reached if step == "request"}
    missing = {trace: [step for step in _STEPS if (step, trace) not in reached] for trace in traces}
    trace, lacks = min(missing.items(), key=lambda item: len(item[1]), default=("", list(_STEPS)))
    found = f"missing: {', '.join(lacks)}" if lacks else f"{', '.join(_STEPS)} in {trace}"
    return Check(name="one trace runs through all", ok=not lacks, found=found)


def _entry(line: str) -> dict[str, Any]:
    """Return a line's JSON, nothing if it has none."""
    try:
        entry = json.loads(line.partition(" | ")[2])
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


_STEPS: Mapping[str, Mapping[str, str]] = {
    "request": {"service": "control", "message": "request served", "operation": "sessions.create"},
    "task": {"service": "celery", "message": "task done", "task": "agents.turn"},
    "recognition": {"service": "worker", "message": "speech recognised"},
    "synthesis": {"service": "worker", "message": "speech synthesised"},
}
"""What each step of a session writes into the log."""


def _contains(text: str, phrase: str) -> bool:
    return _flat(phrase) in _flat(text)


def _flat(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))

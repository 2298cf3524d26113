"""What a call leaves behind for programs: the ``--json`` of ``call`` and ``demo``."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from voicebackend.cli.caller import Caller
from voicebackend.errors import PipelineError, VoiceBackendError, as_error


def call_report(caller: Caller, error: BaseException | None) -> dict[str, Any]:
    """Return ``{session, turns: [{turn, user, agent, latency_ms}], agent_audio_s, frames_late, error}``."""
    turns = [
        {"turn": turn.turn, "user": turn.user, "agent": turn.agent, "latency_ms": turn.latency_ms}
        for turn in sorted(caller.turns.values(), key=lambda turn: turn.turn)
    ]
    return {
        "session": caller.session or None,
        "turns": turns,
        "agent_audio_s": round(caller.player.seconds, 2),
        "frames_late": caller.player.late,
        "error": problem(error),
    }


def failed_report(error: BaseException) -> dict[str, Any]:
    """Return the report of a call that did not even begin."""
    return {"session": None, "turns": [], "agent_audio_s": 0.0, "frames_late": 0, "error": problem(error)}


def problem(error: BaseException | None) -> dict[str, str] | None:
    """Return an error as ``{code, message}``."""
    if error is None:
        return None
    ours: VoiceBackendError = as_error(error) or PipelineError("call", type(error).__name__)
    return {"code": str(ours.code), "message": ours.message}


def medians(report: dict[str, Any]) -> dict[str, float]:
    """Return the median of each latency over the turns that have it, in milliseconds."""
    measured: dict[str, list[float]] = {}
    for turn in report["turns"]:
        for stage, ms in turn["latency_ms"].items():
            measured.setdefault(stage, []).append(ms)
    return {stage: round(median(values), 1) for stage, values in measured.items()}


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

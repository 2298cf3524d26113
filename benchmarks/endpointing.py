"""Who is cut off, and who waits: ``python -m benchmarks.endpointing --json FILE``; see the README beside this.

The same human and synthesised turns through our endpointing as shipped, through 500 ms of silence, and through the
defaults of Pipecat and LiveKit Agents where their environments are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.circumstances import loadavg, versions
from benchmarks.measure import cores
from benchmarks.turn_ends import noises, others, ours, silence
from benchmarks.turn_ends.corpus import Turn, corpus
from benchmarks.turn_ends.score import by_group, compared, score

HALVES = ("development", "held_out")
OURS = "voicebackend"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _options(arguments)
    began, load_before = time.perf_counter(), loadavg()
    turns = corpus()
    heard = ours.listen(turns)
    decisions: dict[str, Mapping[str, Sequence[float]]] = {OURS: heard.decisions}
    decisions["500 ms silence"] = silence.listen(turns)
    absent = others.missing(options.peers)
    if absent:
        print(f"not installed, so not compared: {', '.join(absent)}; see benchmarks/README.md", file=sys.stderr)
    decisions |= others.listen(turns, options.peers)
    report = _report(turns, decisions)
    report["ours"] = {
        **heard.counts,
        "detector_ms": _per_call_ms(heard),
        "false_starts_a_minute": noises.false_starts(),
    }
    report["circumstances"] = {**versions(), "cores": cores(), "loadavg_before": load_before}
    report["missing"], report["seconds"] = absent, round(time.perf_counter() - began, 1)
    print(_table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="folder given to peers/setup.sh")
    return parser.parse_args(arguments)


def _report(turns: Sequence[Turn], decisions: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    halves = {half: [turn for turn in turns if turn.half == half] for half in HALVES}
    systems = {
        name: {half: {**score(part, found), "groups": by_group(part, found)} for half, part in halves.items()}
        for name, found in decisions.items()
    }
    return {
        "corpus": {
            "turns": len(turns),
            "minutes": round(sum(len(turn.pcm) for turn in turns) / 32_000 / 60, 1),
            "lines": Counter(turn.line for turn in turns),
        },
        "systems": systems,
        "ours_to": {
            name: {half: compared(systems[OURS][half], found[half]) for half in HALVES}
            for name, found in systems.items()
            if name != OURS
        },
        "decisions": {
            turn.id: {"end_s": turn.speech.end_s, "pauses_s": turn.speech.pauses}
            | {name: [round(at, 3) for at in found[turn.id]] for name, found in decisions.items()}
            for turn in turns
        },
    }


def _per_call_ms(heard: ours.Found) -> float:
    return round(heard.detector_s / max(1, heard.counts["detector_calls"]) * 1000, 2)


def _table(report: Mapping[str, Any]) -> str:
    lines = [f"{'':24}{'half':12}{'cut off':>8}{'pauses cut':>12}{'wait: mean':>12}{'p50':>8}{'p95':>8}{'never':>7}"]
    for name, halves in report["systems"].items():
        for half, found in halves.items():
            wait = found["wait_ms"]
            cells = f"{found['cut_off']:>8.1%}{found['pauses_cut']:>12.1%}"
            waits = f"{wait['mean']:>12.0f}{wait['p50']:>8.0f}{wait['p95']:>8.0f}"
            lines.append(f"{name:24}{half:12}{cells}{waits}{found['never_ended']:>7}")
    lines += [
        f"ours to {name}, {half}: cut off x{found['cut_off']}, wait x{found['wait']}{'' if found['holds'] else ' (!)'}"
        for name, halves in report["ours_to"].items()
        for half, found in halves.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

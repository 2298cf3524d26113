"""Runs scenario files: each in a virtual loop of its own, several processes side by side where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from voicebackend import virtual_time
from worker.scenarios.casting import ScriptedCast
from worker.scenarios.format import Scenario
from worker.scenarios.judge import judge
from worker.scenarios.loader import load
from worker.scenarios.real import RealCast
from worker.scenarios.seen import Seen
from worker.scenarios.stage import Cast, hold
from worker.scenarios.timeline import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a scenario went."""

    path: Path
    name: str
    skipped: str
    """Why it was not held; empty if it was."""
    complaints: Sequence[str]
    events: Sequence[Event]
    """Of the first caller, or of the first whose conversation was not as expected."""
    seconds: float
    """How long the conversation was."""
    took_s: float
    """How long that took here."""
    turns: int
    without_retry: int

    @property
    def ok(self) -> bool:
        """Whether all was as expected."""
        return not self.complaints


def run_all(paths: Sequence[Path], *, audio: bool, jobs: int) -> Iterator[Result]:
    """Hold every scenario and yield the results in order; the files are read before anything starts.

    Raises:
        InvalidConfig: one of the files is no scenario.

    """
    for path in paths:
        load(path)
    if jobs == 1:
        yield from (run_file(path, audio=audio) for path in paths)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_file, paths, [audio] * len(paths))


def run_file(path: Path, audio: bool = False) -> Result:
    """Hold one scenario."""
    file, started = load(path), time.monotonic()
    scenario = file.scenario
    if audio and scenario.only_scripted:
        return _skipped(path, scenario)
    cast: Cast = RealCast(path.parent) if audio else ScriptedCast()
    try:
        seen = virtual_time.run(hold(scenario, cast))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this scenario's result
        return _broken(path, scenario, error)
    return _judged(path, scenario, seen, real=audio, took_s=time.monotonic() - started)


def _judged(path: Path, scenario: Scenario, seen: Sequence[Seen], *, real: bool, took_s: float) -> Result:
    expected = scenario.expected(audio=real)
    judged = [(one, judge(expected, one, real=real)) for one in seen]
    told, complaints = next(((one, found) for one, found in judged if found), judged[0])
    who = f"caller {told.number}: " if len(seen) > 1 else ""
    turns = sum(one.turns for one in seen)
    return Result(
        path=path,
        name=scenario.name,
        skipped="",
        complaints=[f"{who}{line}" for line in complaints],
        events=told.events,
        seconds=seen[0].seconds,
        took_s=took_s,
        turns=turns,
        without_retry=turns - sum(one.retries for one in seen),
    )


def _skipped(path: Path, scenario: Scenario) -> Result:
    return Result(
        path=path,
        name=scenario.name,
        skipped=scenario.only_scripted,
        complaints=[],
        events=[],
        seconds=0.0,
        took_s=0.0,
        turns=0,
        without_retry=0,
    )


def _broken(path: Path, scenario: Scenario, error: Exception) -> Result:
    return Result(
        path=path,
        name=scenario.name,
        skipped="",
        complaints=[f"the conversation broke: {type(error).__name__}: {error}"],
        events=[],
        seconds=0.0,
        took_s=0.0,
        turns=0,
        without_retry=0,
    )

"""Runs scenario files: each in a virtual loop of its own, several processes side by side where that is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from voicebackend import virtual_time
from worker.scenarios.casting import ScriptedCast
from worker.scenarios.format import Scenario
from worker.scenarios.judge import judge
from worker.scenarios.loader import load
from worker.scenarios.outcome import Outcome, outcome, total
from worker.scenarios.real import RealCast
from worker.scenarios.seen import Seen
from worker.scenarios.stage import Cast, hold
from worker.scenarios.timeline import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a scenario went."""

    path: Path
    name: str
    skipped: str = ""
    """Why it was not held; empty if it was."""
    complaints: Sequence[str] = ()
    events: Sequence[Event] = ()
    """Of the first caller, or of the first whose conversation was not as expected."""
    seconds: float = 0.0
    """How long the conversation was."""
    outcome: Outcome = field(default_factory=Outcome)
    """Of the turns of all callers."""

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
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=be_quiet) as pool:
        yield from pool.map(run_file, paths, [audio] * len(paths))


def be_quiet() -> None:
    """Let this process log nothing: what goes wrong on purpose is not worth a line, all else is in the results."""
    logging.basicConfig(level=logging.CRITICAL)


def run_file(path: Path, audio: bool = False) -> Result:
    """Hold one scenario."""
    scenario = load(path).scenario
    if audio and scenario.only_scripted:
        return Result(path=path, name=scenario.name, skipped=scenario.only_scripted)
    cast: Cast = RealCast(path.parent) if audio else ScriptedCast()
    try:
        seen = virtual_time.run(hold(scenario, cast))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this scenario's result
        complaint = f"the conversation broke: {type(error).__name__}: {error}"
        return Result(path=path, name=scenario.name, complaints=[complaint])
    return _judged(path, scenario, seen, real=audio)


def _judged(path: Path, scenario: Scenario, seen: Sequence[Seen], *, real: bool) -> Result:
    expected = scenario.expected(audio=real)
    judged = [(one, judge(expected, one, real=real)) for one in seen]
    told, complaints = next(((one, found) for one, found in judged if found), judged[0])
    who = f"caller {told.number}: " if len(seen) > 1 else ""
    return Result(
        path=path,
        name=scenario.name,
        complaints=[f"{who}{line}" for line in complaints],
        events=told.events,
        seconds=seen[0].seconds,
        outcome=total(outcome(one) for one in seen),
    )

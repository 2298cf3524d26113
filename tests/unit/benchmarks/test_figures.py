"""What benchmarks make of what they measured: frames, goals, capacity."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import capacity
from benchmarks.capacity_search import added_by_load, carried, overhead
from benchmarks.frames import FRAME_BYTES, stamped, stamps
from benchmarks.goals import Goal
from benchmarks.lane_limit import SOURCE, compiler
from benchmarks.measure import by_role
from benchmarks.processes import shares
from benchmarks.transport_goals import judge

ROOT = Path(__file__).parents[3]


def run(sessions: int, p95: float | None, lost: int = 0, cores_used: float = 1.0) -> dict[str, Any]:
    """Return a run of the whole pipeline."""
    return {"sessions": sessions, "overhead_ms": {"p95": p95}, "lost_turns": lost, "cores_used": cores_used}


def transport(sessions: int, *, late_pct: float = 0.0, p99: float = 12.0) -> dict[str, Any]:
    """Return a run of the transport benchmark."""
    return {
        "sessions": sessions,
        "added_ms": {"p50": 4.0, "p99": p99},
        "lost": 0,
        "late_pct": 0.0,
        "cpu_us_per_frame": {"gateway": 4000 / sessions, "worker": 10.0, "redis": 10.0},
        "bare_echo": {"us_per_frame": 20.0},
        "load": {"generator_late_pct": late_pct},
    }


def test_a_frame_tells_its_number_and_time_and_several_may_come_in_one_message() -> None:
    """The gateway sends frames together that are due together."""
    message = stamped(7, 12.5) + stamped(8, 12.52)
    assert len(message) == 2 * FRAME_BYTES
    assert list(stamps(message)) == [(7, 12.5), (8, 12.52)]


def test_half_a_frame_is_an_error() -> None:
    """It would shift all that follow."""
    with pytest.raises(ValueError, match="641 bytes"):
        list(stamps(stamped(1, 0.0) + b"x"))


def test_a_goal_that_cannot_be_judged_does_not_hold() -> None:
    """Nothing was measured, or the generator measured itself."""
    assert Goal("p50", None, 8.0).holds is None
    assert Goal("p50", 4.0, 8.0, why="no room").holds is None
    assert Goal("p50", 8.0, 8.0).holds is True
    assert Goal("sessions", 99, 100, least=True).holds is False
    assert "DOES NOT HOLD" in Goal.line(Goal("p50", 9.0, 8.0).to_dict())


def test_transport_is_judged_at_100_and_400_sessions() -> None:
    """CPU against the bare echo, and the cost of a frame as sessions grow."""
    judged = {goal["goal"]: goal["holds"] for goal in judge([transport(100), transport(400, late_pct=3.0, p99=99.0)])}
    assert judged["CPU at 100 sessions, times the bare echo's"] is True
    assert judged["CPU a frame at 400 sessions, times that at 100"] is True
    assert judged["added p99 at 400 sessions, ms"] is None


def test_what_is_carried_ends_where_turns_are_late_or_lost() -> None:
    """A run with more sessions that went well by luck does not count."""
    runs = [run(50, 20.0, cores_used=0.8), run(75, 41.0), run(100, 30.0)]
    assert carried(runs, "overhead_ms") == {"carries": 50, "sessions_per_core": 62.5}
    assert carried([run(10, 5.0, lost=1)], "overhead_ms")["carries"] == 0
    assert carried([run(10, None)], "overhead_ms")["carries"] == 0


def test_overhead_is_against_what_was_said() -> None:
    """Sayings differ in how long their end takes to be believed."""
    heard = {"a": [110.0, 120.0], "b": [230.0]}
    assert overhead(heard, {"a": 100.0, "b": 200.0})["p95"] == 30.0
    assert added_by_load(heard, {"a": 100.0})["p95"] == 20.0


def test_processes_count_for_what_they_are_for() -> None:
    """Any number of workers is one role."""
    spent = {"control": 0.1, "worker-1": 0.2, "worker-2": 0.3, "redis": 0.05, "celery": 0.01}
    assert by_role(spent) == {"gateway": 0.1, "worker": 0.5, "redis": 0.05, "agents": 0.01}
    assert shares(7, 3) == [3, 2, 2]
    assert shares(1, 3) == [1]


def test_the_page_on_capacity_says_what_was_measured() -> None:
    """Run ``python -m benchmarks.capacity --page docs/capacity.md`` when the results have changed."""
    page = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")
    assert capacity.with_table(page, capacity.table(capacity.Measured.read(capacity.RESULTS))) == page


def test_capacity_grows_with_calls_and_never_below_one_process() -> None:
    """Half of each core is kept free."""
    measured = capacity.Measured(
        sessions=100, cores={"gateway": 0.005, "worker": 0.01, "redis": 0.001, "agents": 0.0001}, memory_mb=2.0
    )
    few, many = capacity.plan(100, measured), capacity.plan(100_000, measured)
    assert (few.gateways, few.workers, few.redis_shards, few.agents) == (1, 2, 1, 1)
    assert (many.gateways, many.workers, many.redis_shards, many.agents) == (1000, 2000, 200, 20)
    assert many.cores == 3220
    assert many.callers_gbit_s == pytest.approx(25.6)


@pytest.mark.parametrize("name", ["transport", "sessions", "full"])
def test_results_say_where_they_come_from(name: str) -> None:
    """A figure without its circumstances is none."""
    told = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert {"voicebackend", "python", "redis", "machine", "cores"} <= told["circumstances"].keys()


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler here")
def test_the_c_program_compiles_without_a_warning(tmp_path: Path) -> None:
    """And says how it is called."""
    program, cc = tmp_path / "lane_echo", compiler() or ""
    subprocess.run([cc, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)], check=True)
    assert shutil.which(str(program))
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "lane_echo: lane_echo SOCKET INBOX LANE...\n")

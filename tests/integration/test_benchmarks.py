"""Every benchmark runs, on two sessions for two seconds, and writes what it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = {"voicebackend", "python", "redis", "machine"}

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.own_redis("benchmarks start their own")]


def benchmark(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run one, and return its JSON."""
    out = folder / f"{name}.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(out), "--seconds", "2", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def test_transport_tells_what_the_way_adds_and_costs(tmp_path: Path) -> None:
    """Nothing is lost with two sessions, and each process's CPU is told."""
    told = benchmark("transport", tmp_path, "--sessions", "2", "--limit-at", "2")
    [run] = told["runs"]
    assert (run["sessions"], run["lost"], run["repeated"]) == (2, 0, 0)
    assert run["frames"] == pytest.approx(190, abs=40)
    assert run["added_ms"].keys() >= {"p50", "p99"}
    assert run["cpu_us_per_frame"].keys() == {"gateway", "worker", "redis"}
    assert 0 <= run["late_pct"] <= 100
    assert told["limits"].keys() >= {"bare_echo_us_per_frame", "c_reader_us_per_frame"}
    assert told["circumstances"].keys() >= VERSIONS
    assert run["load"].keys() >= {"loadavg_before", "other_processes_cores"}


def test_sessions_tells_of_beginning_asking_and_waiting(tmp_path: Path) -> None:
    """Two at once, two that ask, two that wait."""
    few = ("--at-once", "2", "--samples", "6", "--asking", "2", "--idle", "2")
    told = benchmark("sessions", tmp_path, *few)
    [created] = told["creation"]
    assert (created["sessions"], created["not_ready"]) == (6, 0)
    assert created["ready_ms"]["p50"] <= created["ready_ms"]["p99"]
    assert told["agent_turn"]["first_delta_ms"].keys() >= {"p50", "p99"}
    assert told["idle"].keys() >= {"rss_mb_per_session", "pss_mb_per_session"}
    assert told["circumstances"].keys() >= VERSIONS


def test_full_tells_what_this_machine_carries(tmp_path: Path) -> None:
    """The default turn detector is there on every machine; frameworks need not be."""
    told = benchmark("full", tmp_path, "--sessions", "2", "--detectors", "dangling", "--peers", str(tmp_path))
    system = told["systems"]["voicebackend, dangling"]
    [run] = system["runs"]
    assert run["sessions"] == 2
    assert run["cores_per_session"].keys() == {"gateway", "worker", "redis", "agents"}
    assert run.keys() >= {"overhead_ms", "added_by_load_ms", "e2e_ms", "load"}
    assert system["carries"] in {0, 2}
    assert told["missing"]


def test_turns_tells_what_it_ran_on(tmp_path: Path) -> None:
    """Versions and load are in every run."""
    told = benchmark("turns", tmp_path, "--work", "peers", "--sessions", "2")
    [run] = told["runs"]
    assert run.keys() >= VERSIONS | {"e2e_ms", "overhead_ms", "load"}


def test_providers_tells_what_every_codec_costs(tmp_path: Path) -> None:
    """Each beside the bare round trip; what has no codec is stated."""
    told = benchmark("providers", tmp_path, "--seconds", "0.1")
    assert told["providers"].keys() == {"openai", "elevenlabs", "cartesia agent", "cartesia voice", "vocode", "pipecat"}
    assert all(found["ours_us"] > 0 and found["ratio"] > 0 for found in told["providers"].values())
    assert told["uncoded"].keys() >= {"vapi", "livekit"}
    assert len(told["goals"]) == len(told["providers"])


def test_sip_tells_how_evenly_packets_leave(tmp_path: Path) -> None:
    """Two telephones hear themselves; the bare pacer's packets are told beside ours."""
    told = benchmark("sip", tmp_path, "--calls", "2")
    [run] = told["runs"]
    assert run["rtp_out"]["packets"] == pytest.approx(200, abs=100)
    assert run["bare_pacer"]["packets"] == pytest.approx(200, abs=100)
    assert run["rtp_out"]["gap_ms"].keys() == {"p50", "p95", "p99"}
    assert run["set_up_ms"]["p50"] > 0
    assert run["cpu_per_call_by_role"].keys() == {"gateway", "worker", "redis", "agents"}
    assert len(told["goals"]) == 4
    assert told["circumstances"].keys() >= VERSIONS


def test_routing_tells_what_a_look_up_takes(tmp_path: Path) -> None:
    """And how long calls wait while a table is read."""
    told = benchmark("routing", tmp_path, "--prefixes", "500")
    assert told["figures"].keys() == {"prefixes", "look_up_us", "decision_us", "load_s", "loop_wait_ms"}
    assert told["figures"]["look_up_us"] > 0
    assert len(told["goals"]) == 1


def test_retention_tells_how_fast_sweeps_are_and_what_calls_notice(tmp_path: Path) -> None:
    """Two indexes, and two calls without and with a sweep."""
    told = benchmark("retention", tmp_path, "--quick")
    assert [run["entries"] for run in told["sweeps"]] == [500, 2_000]
    for run in told["sweeps"]:
        assert run["deleted"] > 0
        assert run["objects_per_s"] > 0
        assert run["rss_mb_most"] > 10
        assert run["redis_bytes_per_entry"] > 100
    [pair] = told["calls"]["pairs"]
    assert pair["with"]["deleted"] > 0
    assert (pair["without"]["deleted"], pair["without"]["lost"]) == (0, 0)
    assert told["calls"]["times_without"].keys() == {"p50", "p95", "p99"}
    assert len(told["goals"]) == 3
    assert told["circumstances"].keys() >= VERSIONS

"""``voicebackend demo`` and ``voicebackend up``: the five real processes, as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicebackend.cli.stack import free_port

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-c", "from voicebackend.cli.main import app; app()"]
VOICES = Path(__file__).parents[1] / "data" / "voices"
MOCK = "provider: mock\nstt_provider: mock\ntts_provider: mock\n"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Give an environment with a private home and no settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    return {**kept, "VOICEBACKEND_HOME": str(tmp_path / "home")}


@pytest.fixture
def up(tmp_path: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Give a development stack of mock engines that is up."""
    config = tmp_path / "config.yaml"
    config.write_text(MOCK)
    command = [*COMMAND, "up", "--port", str(free_port()), "--config", str(config)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            for line in process.stdout:
                told += line
                if line.startswith("up on"):
                    break
            else:
                pytest.fail(f"it did not come up:\n{told}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()


def children_of(pid: int) -> dict[str, int]:
    """Return the stack's processes by the word that tells them apart in their command lines."""
    marks = ("redis-server", "-m control", "-m worker", "control worker", "control beat", "guardian")
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        found |= {mark: int(child) for mark in marks if mark in command}
    return found


def wait_until_gone(pids: Mapping[str, int], seconds: float = 20) -> list[str]:
    """Wait for processes to end; return those that did not."""
    deadline = time.monotonic() + seconds
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [name for name, pid in pids.items() if _runs(pid)]
        time.sleep(0.05)
    return left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_demo_holds_a_spoken_conversation_and_checks_it(tmp_path: Path, environ: dict[str, str]) -> None:
    """Three turns through five processes, understood, answered and audible; report and recording are written."""
    copy = tmp_path / "copy.json"
    done = subprocess.run(
        [*COMMAND, "demo", "--folder", str(tmp_path / "demo"), "--json", str(copy)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    report: dict[str, Any] = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report == json.loads(copy.read_text())
    assert report["error"] is None, done.stderr
    assert len(report["turns"]) == 3
    failed = [check for check in report["checks"] if not check["ok"]]
    # How soon it answers is for a quiet machine to show; here it must only be measured and told.
    assert [check["name"] for check in failed if "within" not in check["name"]] == []
    assert (done.returncode != 0) == bool(failed)
    assert 0 < report["medians"]["heard"] < 3000
    with wave.open(str(tmp_path / "demo" / "conversation.wav"), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16000)
        sides = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert all(np.count_nonzero(np.abs(sides[:, side]) > 1000) > 16000 for side in (0, 1))
    log = (tmp_path / "demo" / "stack.log").read_text()
    traces = {json.loads(line.split(" | ", 1)[1])["trace_id"] for line in log.splitlines() if '"session ready"' in line}
    assert len(traces) == 1
    assert log.count(traces.pop()) > 6
    assert not (tmp_path / "home").exists()


def test_up_runs_the_stack_and_call_finds_it(
    up: subprocess.Popen[str], tmp_path: Path, environ: dict[str, str]
) -> None:
    """A call from another terminal needs neither address nor key; Ctrl-C ends everything."""
    processes = children_of(up.pid)
    assert len(processes) == 6
    told = tmp_path / "home" / "dev.json"
    assert stat.S_IMODE(told.stat().st_mode) == 0o600
    call = [*COMMAND, "call", str(VOICES / "caller_yes_please.wav"), "--json", str(tmp_path / "call.json")]
    done = subprocess.run(call, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "call.json").read_text())
    assert report["error"] is None
    assert "On which day" in report["turns"][0]["agent"]
    listed = subprocess.run([*COMMAND, "sessions", "--json"], env=environ, capture_output=True, text=True, check=True)
    assert [session["id"] for session in json.loads(listed.stdout)] == [report["session"]]
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0
    assert wait_until_gone(processes) == []
    assert not told.exists()


def test_a_process_that_dies_ends_the_stack_and_is_named(up: subprocess.Popen[str]) -> None:
    """The others end too, and the exit code is not 0."""
    processes = children_of(up.pid)
    os.kill(processes["-m worker"], signal.SIGKILL)
    assert up.stdout is not None
    told = up.stdout.read()
    assert up.wait(30) == 1
    assert "worker ended with code -9" in told
    assert wait_until_gone(processes) == []


def test_a_stack_that_is_killed_leaves_nothing_behind(up: subprocess.Popen[str]) -> None:
    """SIGKILL of ``up`` ends its five processes too."""
    processes = children_of(up.pid)
    up.kill()
    assert up.wait(10) == -signal.SIGKILL
    assert wait_until_gone(processes) == []


def test_a_port_that_is_taken_ends_the_stack_with_its_reason(environ: dict[str, str]) -> None:
    """Control's own words are shown, nothing stays behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*COMMAND, "up", "--port", port]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "control ended with code 1" in done.stderr
    assert "VOICEBACKEND_PORT" in done.stderr

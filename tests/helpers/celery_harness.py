"""Starts real Celery processes and ends them, and reads what they log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voicebackend.settings import Deployment

ROOT = Path(__file__).parents[2]
ALL_QUEUES = "sessions,agents,telephony,retention,post_call,webhooks"
START_S = 60.0
END_S = 20.0


class CeleryProcess:
    """One running process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def logged(self) -> list[dict[str, Any]]:
        """Return what it logged, a line each; what is no JSON comes as ``{"message": line}``."""
        return [_read(line) for line in self._log.read_text(encoding="utf-8").splitlines() if line.strip()]

    def wait_for(self, message: str, timeout_s: float = START_S) -> None:
        """Return once it has logged a message that contains this."""
        deadline = time.monotonic() + timeout_s
        while not any(message in line["message"] for line in self.logged()):
            assert self.process.poll() is None, self.logged()
            assert time.monotonic() < deadline, self.logged()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(END_S)

    def terminate(self) -> int:
        """End it as an operator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_S)


def _read(line: str) -> dict[str, Any]:
    try:
        return {"message": "", **json.loads(line)}
    except ValueError:
        return {"message": line}


@contextmanager
def celery_process(
    deployment: Deployment, folder: Path, *arguments: str, **environment: str
) -> Iterator[CeleryProcess]:
    """Run ``celery -A control <arguments>`` in a folder of its own while the context is open."""
    folder.mkdir(parents=True)
    log = folder / "log"
    path = os.pathsep.join(str(ROOT / part) for part in (".", "tests/helpers"))
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as operators run it
    env = {**inherited, **deployment.to_env(), "VOICEBACKEND_PROVIDER": "mock", "PYTHONPATH": path, **environment}
    command = [sys.executable, "-m", "celery", "-A", "control", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        yield CeleryProcess(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(END_S)


@contextmanager
def celery_worker(deployment: Deployment, folder: Path, *arguments: str, **environment: str) -> Iterator[CeleryProcess]:
    """Run a worker that is ready for tasks; every queue on threads unless the arguments say otherwise."""
    chosen = arguments or ("-Q", ALL_QUEUES, "-P", "threads", "-c", "16")
    with celery_process(deployment, folder, "worker", *chosen, **environment) as worker:
        worker.wait_for("ready.")
        yield worker


def eventually(check: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Return once this holds."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)

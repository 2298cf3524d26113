"""A real Prometheus: found, or taken out of Debian's package, and run with rules and targets of ours."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from voicebackend.cli.stack import free_port

BUILD = Path(__file__).parents[2] / "build" / "prometheus"
FETCH_S = 120.0
START_S = 60.0
STOP_S = 20.0


@cache
def program(name: str) -> str | None:
    """Return where ``prometheus`` or ``promtool`` is, None where it cannot be had."""
    if found := shutil.which(name):
        return found
    path = BUILD / "usr" / "bin" / name
    if not path.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        BUILD.mkdir(parents=True, exist_ok=True)
        with (BUILD / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                _fetch()
    return str(path) if path.exists() else None


def _fetch() -> None:
    """Unpack Debian's package without installing it: nothing is started, nobody need be root."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        if not _done(folder, "apt-get", "download", "-qq", "prometheus"):
            _done(folder, "apt-get", "update", "-qq")
            _done(folder, "apt-get", "download", "-qq", "prometheus")
        for package in Path(folder).glob("*.deb"):
            unpacked = Path(folder) / "unpacked"
            if _done(folder, "dpkg-deb", "-x", str(package), str(unpacked)):
                shutil.copytree(unpacked / "usr" / "bin", BUILD / "usr" / "bin", dirs_exist_ok=True)


def _done(folder: str, *command: str) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=FETCH_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """Return what its API answers."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as response:  # noqa: S310 - loopback
            told = json.load(response)
        assert told["status"] == "success", told
        return told["data"]

    def query(self, text: str) -> list[dict[str, Any]]:
        """Return what an expression is now."""
        found: list[dict[str, Any]] = self.get("query", query=text)["result"]
        return found

    def rules(self, timeout_s: float = 40.0) -> dict[str, str]:
        """Return how each alert rule does, once all were looked at."""
        deadline = time.monotonic() + timeout_s
        while True:
            groups = self.get("rules")["groups"]
            found = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
            if "unknown" not in found.values():
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    def until(self, text: str, timeout_s: float = 40.0) -> list[dict[str, Any]]:
        """Return what an expression is once it is anything."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.query(text)):
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        return found


@contextmanager
def prometheus(binary: str, rules: Path, targets: Mapping[str, int], folder: Path) -> Iterator[Prometheus]:
    """Run one that reads these ports of this machine every second while the context is open."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "voicebackend",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"process": name}} for name, port in targets.items()
                ],
            }
        ],
    }
    path, port = folder / "prometheus.yaml", free_port()
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [binary, f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/-/ready", process, folder / "log")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(STOP_S)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - loopback
                if response.status == 200:
                    return
        except OSError:
            pass
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.1)

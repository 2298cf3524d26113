"""Environments of vendors' own packages, each apart from the project's: built once, kept under ``build/peers``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

BUILD = Path(__file__).parents[2] / "build" / "peers"
BUILD_S = 600.0
"""Seconds that each step of building one may take."""


def environment(name: str, requirements: Sequence[str]) -> Path:
    """Return the Python of an environment that has these packages, built now if it is not there; others wait meanwhile.

    It blocks; where the packages cannot be had, the peer is ``missing``.
    """
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
    home = BUILD / f"{name}-{digest}"
    python, ready = home / "bin" / "python", home / "ready"
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            _step(name, sys.executable, "-m", "venv", str(home))
            _step(name, str(python), "-m", "pip", "install", "--quiet", *requirements)
            ready.touch()
    return python


def missing(name: str, reason: str) -> NoReturn:
    """Skip the test for want of a peer, with the reason; fail it where peers are required, as in CI."""
    message = f"no {name} on this machine: {reason}"
    if os.environ.get("VOICEBACKEND_PEERS") == "required":
        pytest.fail(message)
    pytest.skip(message)


def _step(name: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        missing(name, type(error).__name__)
    if done.returncode:
        missing(name, (done.stderr.strip() or "its environment cannot be built").splitlines()[-1])

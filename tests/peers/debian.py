"""Programs that a Debian brings: root installs what is missing, one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache

from environment import BUILD, missing

INSTALL_S = 300.0
"""Seconds for one step of it, the network's included."""


@cache
def program(name: str, package: str) -> str:
    """Return where a program is; where it cannot be had the test is skipped, or failed if peers are required."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shutil.which(name):
            _install(name, package)
    return shutil.which(name) or missing(name, "it was installed, but is not there")


def _install(name: str, package: str) -> None:
    if not shutil.which("apt-get") or os.geteuid() != 0:
        missing(name, f"install package {package}")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        try:
            done = subprocess.run(
                ["apt-get", *command],  # noqa: S607 - where it is depends on the system
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                timeout=INSTALL_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            missing(name, type(error).__name__)
        if done.returncode:
            missing(name, (done.stderr.strip() or "apt-get failed").splitlines()[-1])

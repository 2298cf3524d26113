"""``voicebackend flower``: Celery's tasks and workers in a browser, for operators."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from voicebackend.errors import InvalidConfig
from voicebackend.flower_auth import FLOWER_BASIC_AUTH, check_passwords

COLUMNS = "name,kwargs,state,received,started,runtime,retries,worker"
"""What is shown of each task: arguments are ids and numbers."""


def flower_command(address: str, port: int, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the command that runs Flower on this deployment's broker.

    Raises:
        InvalidConfig: Flower is not installed, or there is no password.

    """
    if find_spec("flower") is None:
        raise InvalidConfig("flower", 'Flower needs: pip install "voicebackend[flower]"')
    check_passwords([account for account in environ.get(FLOWER_BASIC_AUTH, "").split(",") if account])
    celery = [sys.executable, "-m", "celery", "-A", "control", "flower"]
    return [*celery, f"--address={address}", f"--port={port}", f"--tasks_columns={COLUMNS}"]


async def run_flower(address: str, port: int) -> None:
    """Become Flower; raises as :func:`flower_command`."""
    command = flower_command(address, port)
    os.execv(command[0], command)  # noqa: S606 - our own Python

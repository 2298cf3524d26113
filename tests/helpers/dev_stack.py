"""The development stack, run by ``voicebackend up`` as a user would, until the context is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis_roles import RedisRoles
from stack_harness import StackAddress

from voicebackend.cli.stack import free_port

HELPERS = Path(__file__).parent
START_S = 120.0


@contextmanager
def running_stack(redis: RedisRoles, folder: Path, *, agents: str, config: str = "") -> Iterator[StackAddress]:
    """Run Redis' clients, all of them, on these servers; ``config`` is YAML, empty for the engines of this machine."""
    env = {
        **os.environ,
        "VOICEBACKEND_STATE_URL": redis.state_url,
        "VOICEBACKEND_AUDIO_URL": redis.audio_url,
        "VOICEBACKEND_BROKER_URL": redis.broker_url,
        "VOICEBACKEND_HOME": str(folder),
        "VOICEBACKEND_AGENTS": agents,
        "PYTHONPATH": str(HELPERS),
        "COLUMNS": "1000",
    }
    command = [str(Path(sys.executable).with_name("voicebackend")), "up", "--port", str(free_port())]
    if config:
        (folder / "voice.yaml").write_text(config, encoding="utf-8")
        command += ["--config", str(folder / "voice.yaml")]
    lines: list[str] = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        reading = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        reading.start()
        try:
            told = _wait_for(folder / "dev.json", process, lines)
            yield StackAddress(url=told["url"], api_key=told["api_key"], log=lines)
        finally:
            process.terminate()
            process.wait(30)
            reading.join(10)
    assert process.returncode == 0, "".join(lines[-30:])


def _wait_for(path: Path, process: subprocess.Popen[str], lines: list[str]) -> dict[str, str]:
    """Return what ``up`` writes when it is ready."""
    deadline = time.monotonic() + START_S
    while not (path.exists() and any("in another terminal" in line for line in lines)):
        assert process.poll() is None, "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.05)
    return dict(json.loads(path.read_text(encoding="utf-8")))

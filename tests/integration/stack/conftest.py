"""The development stack, run by ``voicebackend up`` once for all tests in this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from stack_harness import StackAddress, StackClient

from voicebackend.cli.stack import free_port

HELPERS = Path(__file__).parents[2] / "helpers"
CONFIG = """
provider: mock
timeout: 2
provider_config: {decode: true, seconds_per_character: 0.04}
"""


@pytest.fixture(scope="session")
def stack(stack_redis: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddress]:
    """Run control, worker, Celery and beat as processes, with provider ``mock``."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "voice.yaml").write_text(CONFIG, encoding="utf-8")
    env = {
        **os.environ,
        "VOICEBACKEND_REDIS_URL": f"unix://{stack_redis}",
        "VOICEBACKEND_HOME": str(folder),
        "VOICEBACKEND_AGENTS": "stack_agents",
        "PYTHONPATH": str(HELPERS),
        "COLUMNS": "1000",
    }
    script = str(Path(sys.executable).with_name("voicebackend"))
    command = [script, "up", "--port", str(free_port()), "--config", str(folder / "voice.yaml")]
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
    deadline = time.monotonic() + 60
    while not (path.exists() and any("in another terminal" in line for line in lines)):
        assert process.poll() is None, "".join(lines)
        assert time.monotonic() < deadline, "".join(lines)
        time.sleep(0.05)
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture
async def client(stack: StackAddress) -> AsyncIterator[StackClient]:
    async with aiohttp.ClientSession() as http:
        yield StackClient(stack, http)

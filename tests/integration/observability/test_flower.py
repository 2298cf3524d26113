"""A real Flower on the real broker: who may see it, and what it shows of tasks: ids and numbers, never a word."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery_harness import ROOT, CeleryProcess, celery_worker
from task_harness import a_placed_record, say, task_context

from voicebackend.cli.stack import free_port
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import AGENTS_TURN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ACCOUNT = "operator:correct-horse-battery"
CANARY = "marmalade"
LATE_S = 60.0


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    """Give a deployment whose Celery workers know the test agents."""
    return replace(deployment, agents=("stack_agents",))


@pytest.fixture
def worker(deployment: Deployment, tmp_path: Path) -> Iterator[CeleryProcess]:
    """Run every queue."""
    with celery_worker(deployment, tmp_path / "celery") as process:
        yield process


def command(*arguments: str, deployment: Deployment, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Return what runs a command of ours as an operator does, and its environment."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    env = {**ours, **deployment.to_env(), "VOICEBACKEND_PROVIDER": "mock", "PYTHONPATH": str(ROOT / "tests/helpers")}
    return [str(Path(sys.executable).with_name("voicebackend")), *arguments], {**env, **environment}


@contextmanager
def flower(deployment: Deployment, folder: Path) -> Iterator[str]:
    """Run it with one account while the context is open; gives its address."""
    port = free_port()
    line, env = command("flower", f"--port={port}", deployment=deployment, FLOWER_BASIC_AUTH=ACCOUNT)
    with (folder / "flower.log").open("wb") as log:
        process = subprocess.Popen(line, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: _is_up(url, process, folder / "flower.log"))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text(encoding="utf-8")
    try:
        return ask(f"{url}/healthcheck")[0] == 200
    except OSError:
        return False


def ask(url: str, account: str = "", method: str = "GET") -> tuple[int, str]:
    """Return status and body."""
    headers = {"Authorization": "Basic " + base64.b64encode(account.encode()).decode()} if account else {}
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _until(holds: Any) -> Any:
    deadline = time.monotonic() + LATE_S
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_flower_shows_operators_our_tasks_and_nobody_a_word(
    worker: CeleryProcess, deployment: Deployment, tmp_path: Path
) -> None:
    """Without the password 401, for pages and API alike; with it, names, ids and numbers."""
    with flower(deployment, tmp_path) as url:
        for path in ("/", "/tasks", "/api/tasks", "/api/workers", "/broker"):
            assert ask(url + path)[0] == 401, path
            assert ask(url + path, "operator:wrong-horse-battery")[0] == 401, path
        assert ask(f"{url}/api/worker/shutdown/celery@here", method="POST")[0] == 401
        assert ask(f"{url}/api/worker/shutdown/celery@here", ACCOUNT, method="POST")[0] == 403
        worker.wait_for("Events of group {task} enabled", LATE_S)
        session = asyncio.run(_ask_the_agent(deployment))
        tasks = _until(lambda: _done(url))
        (turn,) = [task for task in tasks.values() if task["name"] == AGENTS_TURN.name]
        assert session in turn["kwargs"]
        assert turn["args"] == "()"
        told = "".join(ask(url + path, ACCOUNT)[1] for path in ("/tasks", "/api/tasks", f"/task/{turn['uuid']}"))
        told += ask(f"{url}/metrics", ACCOUNT)[1] + (tmp_path / "flower.log").read_text(encoding="utf-8")
        for secret in (CANARY, deployment.token_secret, *deployment.api_keys):
            assert secret not in told


def _done(url: str) -> dict[str, Any]:
    """Return the tasks that Flower knows, once the agent's is done."""
    tasks: dict[str, Any] = json.loads(ask(f"{url}/api/tasks", ACCOUNT)[1] or "{}")
    done = {task["name"] for task in tasks.values() if task["state"] == "SUCCESS"}
    return tasks if AGENTS_TURN.name in done else {}


async def _ask_the_agent(deployment: Deployment) -> str:
    """Have an agent answer a caller's words; return the session's id."""
    publisher = CeleryPublisher(deployment)
    try:
        async with task_context(deployment) as shared:
            record = a_placed_record(1, agent="echo")
            await shared.store.create(record)
            await say(shared, record.id, 1, CANARY)
            key = shared.keys.turn(record.id, 1)
            await shared.state.hset(key, mapping={"current": "1", "committed": "1", "said": CANARY})
            await publisher.publish(AGENTS_TURN, session_id=record.id, turn=1, attempt=1)
            return record.id
    finally:
        await publisher.aclose()


@pytest.mark.parametrize("through", ["voicebackend", "celery"])
def test_flower_does_not_start_without_a_password(deployment: Deployment, through: str) -> None:
    """However it is started."""
    line, env = command("flower", deployment=deployment)
    if through == "celery":
        line = [sys.executable, "-m", "celery", "-A", "control", "flower", f"--port={free_port()}"]
    done = subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, timeout=LATE_S, check=False)
    assert done.returncode == 1, done.stderr
    assert "FLOWER_BASIC_AUTH" in done.stderr

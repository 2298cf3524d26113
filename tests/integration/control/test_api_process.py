"""``python -m control`` as a process of its own: it starts, stops and fails as an operator expects."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from control.service import serve
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed, InvalidConfig
from voicebackend.settings import Deployment

ENGINES = {
    "VOICEBACKEND_PROVIDER": "mock",
    "VOICEBACKEND_STT_PROVIDER": "mock",
    "VOICEBACKEND_TTS_PROVIDER": "mock",
}


@asynccontextmanager
async def control(deployment: Deployment, **environment: str) -> AsyncIterator[Process]:
    """Run control as a process; it is killed if it is still there at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "control"),
        env={**inherited, **deployment.to_env(), **environment},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def the_log(process: Process, message: str) -> dict[str, Any]:
    """Return the log line with this message."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        async for line in process.stderr:
            said = json.loads(line)
            if said["message"] == message:
                return dict(said)
    raise AssertionError(f"it never said {message!r}")


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(deployment: Deployment, audio: Redis, name: signal.Signals) -> None:
    """Exit code 0, the development key's file gone, nothing of it in Redis."""
    async with control(replace(deployment, api_keys={}), **ENGINES) as process:
        url = (await the_log(process, "control serves"))["url"]
        said = json.loads((deployment.home / "dev.json").read_text())
        assert (said["url"], said["pid"]) == (url, process.pid)
        async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz") as answer:
            assert answer.status == 200
        process.send_signal(name)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert not (deployment.home / "dev.json").exists()
    assert await audio.keys("vb:inbox:*") == []


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"VOICEBACKEND_STATE_URL": "unix:///nowhere/redis.sock", **ENGINES}, "connection_failed"),
        ({}, "invalid_config"),
        ({**ENGINES, "VOICEBACKEND_MAX_RETRIES": "99"}, "invalid_config"),
        ({**ENGINES, "VOICEBACKEND_PORT": "99999"}, "invalid_config"),
        ({**ENGINES, "VOICEBACKEND_LOG_LEVEL": "loud"}, "invalid_config"),
    ],
    ids=["no Redis", "no provider", "bad field", "bad port", "bad log level"],
)
async def test_a_start_that_fails_says_why_in_one_line(
    deployment: Deployment, environment: dict[str, str], code: str
) -> None:
    """Exit code 1 and the error's code, within seconds."""
    async with control(deployment, **environment) as process:
        _, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1
        assert errors.decode().strip().splitlines()[-1].endswith(f"(code: {code})")
        assert b"Traceback" not in errors


@pytest.mark.parametrize(
    "loop",
    ["voicebackend.channel.Sender.run", "voicebackend.inbox.Inbox._read", "control.gateway.gateway.Gateway.watch"],
)
async def test_a_loop_that_dies_ends_the_process(
    deployment: Deployment, config: BackendConfig, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better no process than one that holds callers and does not hear their workers; nothing is left behind."""

    async def die(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(loop, die)
    tasks = asyncio.all_tasks()
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(10), serve(config, deployment):
            await asyncio.Event().wait()
    assert caught.group_contains(ValueError)
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize(("level", "heard"), [("INFO", True), ("warning", False)])
async def test_the_log_level_is_the_deployments(deployment: Deployment, level: str, heard: bool) -> None:
    """Above INFO it starts and stops without a word."""
    async with control(replace(deployment, api_keys={}), **ENGINES, VOICEBACKEND_LOG_LEVEL=level) as process:
        if heard:
            await the_log(process, "control serves")
        else:
            await _published(deployment)
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert bool(errors) == heard


async def _published(deployment: Deployment) -> None:
    """Return once control has written its address."""
    async with asyncio.timeout(60):
        while not (deployment.home / "dev.json").exists():  # noqa: ASYNC110 - no event reaches across processes
            await asyncio.sleep(0.02)


async def test_a_redis_that_hangs_is_given_up_in_time(deployment: Deployment, config: BackendConfig) -> None:
    """It takes connections and never answers: ConnectionFailed within 3 s, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = replace(deployment, state_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        tasks = asyncio.all_tasks()
        with pytest.raises(ConnectionFailed, match="VOICEBACKEND_REDIS_URL"):
            async with asyncio.timeout(4), serve(config, hanging):
                pytest.fail("it started")
        assert asyncio.all_tasks() == tasks
    assert not deployment.home.exists()


async def test_a_taken_port_is_named(deployment: Deployment, config: BackendConfig, redis: Redis) -> None:
    """InvalidConfig says which variable to change; Redis is untouched."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidConfig) as caught:
            async with serve(config, replace(deployment, port=port)):
                pytest.fail("it started")
    assert caught.value.details == {"field": "VOICEBACKEND_PORT"}
    assert await redis.keys() == []

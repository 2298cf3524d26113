"""The example web apps, each on its framework's own server: a session is opened, spoken to, told of, and shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis_roles import RedisRoles, apart
from stack_harness import RATE, StackAddress, StackCall, StackClient

from voicebackend.celery_broker import broker_url
from voicebackend.cli.stack import free_port
from voicebackend.webhooks import SIGNATURE_HEADER

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]  # whoever is first starts the stack
APPS = Path(__file__).parents[3] / "examples" / "web_apps"
COMMANDS = {
    "flask": ["-m", "flask", "--app", "flask_app", "run", "--port"],
    "fastapi": ["-m", "uvicorn", "fastapi_app:app", "--port"],
    "django": ["django_app.py", "runserver", "--noreload"],
}
WAYS = {"by-client": "otter", **({} if apart() else {"by-task": "falcon"})}
"""How calls are opened, and what is said in each; a plain Celery app is told of Sentinels in its own way."""
STARTS_S, COMES_S = 90.0, 60.0


@asynccontextmanager
async def web_app(
    name: str, stack: StackAddress, redis: RedisRoles, client: StackClient, log: Path
) -> AsyncIterator[str]:
    """Run an app as its documentation says, known to the deployment, and give its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _, made = await client.request("POST", "/v1/webhooks", json={"url": f"{url}/webhooks"})
    env = {
        **os.environ,
        "VOICEBACKEND_CONTROL_URL": stack.url,
        "VOICEBACKEND_API_KEY": stack.api_key,
        "VOICEBACKEND_BROKER_URL": broker_url(redis.broker_url),
        "WEBHOOK_SECRETS": made["secret"],
    }
    command = [sys.executable, *COMMANDS[name], str(port)]
    process = _started(command, env, log)
    try:
        await _until_up(url, process, log)
        yield url
    finally:
        process.kill()
        process.wait(30)
        await client.request("DELETE", f"/v1/webhooks/{made['id']}")


def _started(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=APPS, env=env, stdout=output, stderr=output)


async def _until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(STARTS_S), aiohttp.ClientSession() as http:
        while True:
            assert process.poll() is None, log
            try:
                async with http.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def _ticket(http: aiohttp.ClientSession, url: str, session: str) -> dict[str, Any]:
    """Return a ticket for the caller, once there is a session."""
    async with asyncio.timeout(COMES_S):
        while True:
            async with http.post(f"{url}/calls/{session}/ticket") as response:
                if response.status == 200:
                    return dict(await response.json())
                assert response.status == 404, await response.text()
            await asyncio.sleep(0.1)


async def _talk(http: aiohttp.ClientSession, told: dict[str, Any], session: str, words: str) -> None:
    """Hold a call as the browser of the app's user would."""
    protocols = ("voicebackend.v1", f"token.{told['token']}")
    async with http.ws_connect(told["connect_url"], protocols=protocols) as socket:
        await socket.send_json({"type": "start", "sample_rate": RATE})
        call = StackCall(session, socket)
        await call.until("ready", timeout_s=COMES_S)
        await call.say(words)
        await call.until("audio_end", turn=1, timeout_s=COMES_S)
        await call.until("state", state="listening", timeout_s=COMES_S)
        await socket.send_json({"type": "stop"})
        await call.until("ended", timeout_s=COMES_S)


async def _page(http: aiohttp.ClientSession, url: str, session: str, *parts: str) -> str:
    """Return a call's page, once all of this stands on it."""
    text = ""
    async with asyncio.timeout(COMES_S):
        while not text or not all(part in text for part in parts):
            async with http.get(f"{url}/calls/{session}") as response:
                text = await response.text()
            await asyncio.sleep(0.1)
    return text


async def _call(http: aiohttp.ClientSession, url: str, way: str, words: str) -> None:
    """Open a call in one of two ways, hold it, and read its page."""
    async with http.post(f"{url}/calls/{way}") as response:
        assert response.status in {201, 202}, await response.text()
        session = (await response.json())["session"]
    await _talk(http, await _ticket(http, url, session), session, words)
    page = await _page(http, url, session, "session.started", "turn.completed", "session.ended")
    assert f"<b>user</b> {words}" in page
    assert f"<b>agent</b> {words} 0." in page


async def _not_shown(http: aiohttp.ClientSession, url: str, client: StackClient) -> None:
    """Ask for somebody else's call, which is there."""
    wanted = {"user_id": "eve", "transport": "websocket", "agent": "echo"}
    status, made = await client.request("POST", "/v1/sessions", json=wanted)
    assert status == 201, made
    for method, path in (("POST", "/ticket"), ("GET", "")):
        async with http.request(method, f"{url}/calls/{made['id']}{path}") as response:
            assert response.status == 404, path
    await client.request("DELETE", f"/v1/sessions/{made['id']}")


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_call_is_opened_held_told_of_and_shown(
    name: str, stack: StackAddress, stack_redis: RedisRoles, client: StackClient, tmp_path: Path
) -> None:
    """By a task and by the client; a request that nobody signed changes nothing, and another's call is not shown."""
    async with web_app(name, stack, stack_redis, client, tmp_path / "log") as url, aiohttp.ClientSession() as http:
        await asyncio.gather(*(_call(http, url, way, words) for way, words in WAYS.items()))
        forged = {SIGNATURE_HEADER: "t=1,v1=00", "Content-Type": "application/json"}
        async with http.post(f"{url}/webhooks", data=b"{}", headers=forged) as response:
            assert response.status == 401
        await _not_shown(http, url, client)

"""Who gets in: API keys, the AuthHook in their place, the rate limiter; all deny when they fail."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from voicebackend.hooks import AuthResult
from voicebackend.settings import Deployment

GOOD = {"user_id": "u1", "transport": "websocket", "agent": "demo"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong-key-0123456789"},
        {"Authorization": "Basic test-key-0123456789"},
        {"Authorization": "test-key-0123456789"},
        {"Authorization": "Bearer test-key-01234567890"},
        {"Authorization": "Bearer " + "x" * 8100},
    ],
)
async def test_without_a_good_key_nothing_is_said(api: Any, worker: Any, headers: dict[str, str]) -> None:
    """401 on every route, before the body is even looked at."""
    answer = await api.send("POST", "/v1/sessions", key=None, headers=headers, data=b"{")
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert await api.problem("GET", "/v1/config", key=None, headers=headers) == (401, "authentication_failed")
    assert worker.published == []


class Doorman:
    """An auth hook that can also misbehave."""

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> Any:
        assert metadata["path"].startswith("/v1/")
        match token:
            case "raises":
                raise RuntimeError
            case "hangs":
                await asyncio.sleep(60)
            case "garbage":
                return {"user_id": "x", "authorized": True}
        return AuthResult(user_id=token, authorized=token != "stranger", tenant="acme")

    async def authorize(self, user_id: str, operation: str) -> Any:
        match user_id:
            case "reader":
                return operation == "sessions.list"
            case "odd":
                return "yes"
            case "boom":
                raise RuntimeError
        return True


async def test_the_auth_hook_takes_the_keys_place(start: Any) -> None:
    """It decides who one is and what one may do; the keys no longer open."""
    api = await start(auth_hook=Doorman())
    assert api.serving.api_key == ""
    assert (await api.send("POST", "/v1/sessions", key="ada", json=GOOD)).status == 201
    listed = await (await api.send("GET", "/v1/sessions", key="reader")).json()
    assert len(listed["sessions"]) == 1
    assert await api.problem("POST", "/v1/sessions", key="reader", json=GOOD) == (403, "authorization_failed")
    assert await api.problem("GET", "/v1/sessions", key="stranger") == (401, "authentication_failed")
    assert await api.problem("GET", "/v1/sessions", key=None) == (401, "authentication_failed")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("raises", (401, "authentication_failed")),
        ("hangs", (401, "authentication_failed")),
        ("garbage", (401, "authentication_failed")),
        ("odd", (403, "authorization_failed")),
        ("boom", (403, "authorization_failed")),
    ],
)
async def test_an_auth_hook_that_fails_denies(start: Any, key: str, expected: tuple[int, str]) -> None:
    """Raising, hanging and nonsense are all a no."""
    api = await start(auth_hook=Doorman())
    assert await api.problem("GET", "/v1/sessions", key=key) == expected


class Limiter:
    """Allows two, then misbehaves as told."""

    def __init__(self, then: Any = False) -> None:
        self.keys: list[str] = []
        self._then = then

    async def allow(self, key: str) -> Any:
        self.keys.append(key)
        if len(self.keys) <= 2:
            return True
        if isinstance(self._then, Exception):
            raise self._then
        return self._then

    async def wait(self, key: str) -> None:
        return None


@pytest.mark.parametrize("then", [False, "perhaps", RuntimeError()], ids=["refuses", "garbage", "raises"])
async def test_the_rate_limiter_denies_when_it_says_no_or_fails(start: Any, then: Any) -> None:
    """429 with Retry-After; the key tells tenant, user and operation."""
    limiter = Limiter(then)
    api = await start(rate_limiter=limiter)
    await api.create()
    await api.create()
    answer = await api.send("POST", "/v1/sessions", json=GOOD)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    tenant, _, operation = limiter.keys[0].split(":")
    assert (tenant, operation) == ("default", "sessions.create")


class Patience(Limiter):
    """Allows two, and one more to who waited for it, unless the limit lasts."""

    def __init__(self, *, lasts: bool) -> None:
        super().__init__()
        self._lasts, self.waited = lasts, 0

    async def wait(self, key: str) -> None:
        self.waited += 1
        if self._lasts:
            await asyncio.sleep(60)
        self.keys.clear()


@pytest.mark.parametrize(
    ("prefer", "lasts", "status", "waited"),
    [
        ("wait=5", False, 429, 0),
        ("rate-limit=wait", False, 429, 0),
        ("wait=5, rate-limit=wait", False, 201, 1),
        ("wait=1, rate-limit=wait", True, 429, 1),
    ],
)
async def test_the_rate_limiter_is_waited_for_if_asked(
    start: Any, caplog: pytest.LogCaptureFixture, *, prefer: str, lasts: bool, status: int, waited: int
) -> None:
    """As long as ``wait`` says and no longer; a limit that lasts is no failure of the hook."""
    limiter = Patience(lasts=lasts)
    api = await start(rate_limiter=limiter)
    await api.create()
    await api.create()
    answer = await api.send("POST", "/v1/sessions", json=GOOD, headers={"Prefer": prefer})
    assert (answer.status, limiter.waited) == (status, waited)
    assert "hook failed" not in caplog.text


async def test_without_a_key_a_development_key_is_made(
    start: Any, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """It lies in a private file with the address; no log has it."""
    caplog.set_level("DEBUG")
    api = await start(deploy=replace(deployment, api_keys={}))
    path = deployment.home / "dev.json"
    said = json.loads(path.read_text())
    assert (said["url"], said["api_key"]) == (api.serving.url, api.serving.api_key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert said["api_key"].startswith("vk_dev_")
    assert said["api_key"] not in caplog.text
    assert (await api.send("GET", "/v1/sessions", key=said["api_key"])).status == 200

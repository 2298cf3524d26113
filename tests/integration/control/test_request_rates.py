"""How often one may ask: by tenant, route and address, in Redis, and at a quarter of it while Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from control.access.request_rates import RequestRates
from voicebackend._redis import connect
from voicebackend.errors import RateLimitExceeded
from voicebackend.hooks import AuthResult
from voicebackend.keys import Keys
from voicebackend.limits import Limits, Rate
from voicebackend.settings import Deployment

OTHER_KEY = "other-key-0123456789"
SLOW = Rate(per_s=0.01, burst=8)
"""Nothing is paid off while a test lasts."""


async def allowed(rates: RequestRates, *about: str, of: int = 20) -> int:
    """Return how many of so many requests at once are let through."""
    tried = await asyncio.gather(*(rates.check(*about) for _ in range(of)), return_exceptions=True)
    assert all(isinstance(one, RateLimitExceeded) for one in tried if one is not None), tried
    return sum(one is None for one in tried)


async def test_each_tenant_route_and_address_has_its_own_share(redis: Redis, deployment: Deployment) -> None:
    """All processes count together, and the burst is exact whoever asks at once."""
    one, two = (RequestRates(redis, deployment.keys, SLOW) for _ in range(2))
    both = await asyncio.gather(allowed(one, "acme", "r", "a"), allowed(two, "acme", "r", "a"))
    assert sum(both) == SLOW.burst
    for about in (("other", "r", "a"), ("acme", "s", "a"), ("acme", "r", "b")):
        assert await allowed(one, *about) == SLOW.burst
    with pytest.raises(RateLimitExceeded) as refused:
        await one.check("acme", "r", "a")
    assert refused.value.retry_after == pytest.approx(100, abs=20)


async def test_what_was_asked_is_paid_off_by_time(redis: Redis, deployment: Deployment) -> None:
    """Who waits as long as they were told comes in."""
    rates = RequestRates(redis, deployment.keys, Rate(per_s=4, burst=1))
    await rates.check("acme", "r", "a")
    with pytest.raises(RateLimitExceeded) as refused:
        await rates.check("acme", "r", "a")
    assert refused.value.retry_after
    await asyncio.sleep(refused.value.retry_after + 0.01)
    await rates.check("acme", "r", "a")


async def test_while_redis_is_away_each_process_allows_a_quarter() -> None:
    """It neither opens the door nor shuts it; and buckets do not pile up."""
    away = connect("redis://127.0.0.1:1/0", timeout_s=0.2)
    rates = RequestRates(away, Deployment().keys, SLOW)
    started = time.monotonic()
    assert await allowed(rates, "acme", "r", "a") == SLOW.burst // 4
    assert await allowed(rates, "other", "r", "a") == SLOW.burst // 4
    assert time.monotonic() - started < 20
    await away.aclose()


async def test_the_api_refuses_who_asks_too_often(start: Any, deployment: Deployment) -> None:
    """429 with Retry-After, for that tenant and route alone; wrong keys count by their address."""
    limits = Limits(request_rate=replace(SLOW, burst=3))
    api = await start(deploy=replace(deployment, limits=limits))
    statuses = [(await api.send("GET", "/v1/sessions")).status for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = await api.send("GET", "/v1/sessions")
    assert int(refused.headers["Retry-After"]) > 1
    assert (await api.send("GET", "/v1/sessions", key=OTHER_KEY)).status == 200
    assert (await api.send("GET", "/v1/providers")).status == 200
    guessed = [(await api.send("GET", "/v1/sessions", key=f"guess-{number}-0123456789")).status for number in range(4)]
    assert guessed == [401, 401, 401, 429]


class Porter:
    """An auth hook that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def authenticate(self, token: str, _metadata: Mapping[str, Any]) -> AuthResult:
        """Let in whoever says that they are a guest."""
        self.asked += 1
        return AuthResult(user_id=token, authorized=token.startswith("guest"), tenant="acme")

    async def authorize(self, _user_id: str, _action: str) -> bool:
        """Let them do everything."""
        return True


async def test_who_guesses_is_refused_before_anybody_is_asked(start: Any, deployment: Deployment) -> None:
    """However many guesses come at once; who was let in before still is, and guests without number cost nothing."""
    limits, hook = Limits(request_rate=replace(SLOW, burst=5)), Porter()
    api = await start(deploy=replace(deployment, limits=limits), auth_hook=hook)
    statuses = [(await api.send("GET", "/v1/providers", key=f"guest-{number}")).status for number in range(5)]
    assert statuses == [200] * 5
    assert (await api.send("GET", "/v1/sessions", key="guest")).status == 200
    hook.asked = 0
    guesses = [api.send("GET", "/v1/sessions", key=f"guess-{number}") for number in range(20)]
    refused = sorted([answer.status for answer in await asyncio.gather(*guesses)])
    assert refused == [401] * 5 + [429] * 15
    assert hook.asked == 5
    assert (await api.send("GET", "/v1/sessions", key="guest-to-be")).status == 429
    assert (await api.send("GET", "/v1/sessions", key="guest")).status == 200


async def test_a_key_that_opens_no_more_counts_as_a_guess(start: Any, deployment: Deployment) -> None:
    """Having been good once is no pass."""
    api = await start(deploy=replace(deployment, limits=Limits(request_rate=replace(SLOW, burst=2))))
    made = await (await api.send("POST", "/v1/keys", json={"name": "ci"})).json()
    assert (await api.send("GET", "/v1/sessions", key=made["key"])).status == 200
    assert (await api.send("DELETE", f"/v1/keys/{made['id']}")).status == 204
    again = [(await api.send("GET", "/v1/sessions", key=made["key"])).status for _ in range(4)]
    assert again == [401, 401, 401, 429]


async def test_what_is_given_back_may_be_asked_again(redis: Redis, deployment: Deployment) -> None:
    """In Redis and without it, and never more than was taken."""
    away = connect("redis://127.0.0.1:1/0", timeout_s=0.2)
    for rates, burst in ((RequestRates(redis, deployment.keys, SLOW), 8), (RequestRates(away, Keys(), SLOW), 2)):
        assert await allowed(rates, "", "r", "a") == burst
        await rates.give_back("", "r", "a")
        assert await allowed(rates, "", "r", "a") == 1
        for _ in range(burst + 3):
            await rates.give_back("", "r", "a")
        assert await allowed(rates, "", "r", "a") == burst
    await away.aclose()


async def test_that_redis_is_away_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not with every request that comes meanwhile."""
    away = connect("redis://127.0.0.1:1/0", timeout_s=0.2)
    await allowed(RequestRates(away, Keys(), SLOW), "acme", "r", "a", of=5)
    await away.aclose()
    assert sum("by this process alone" in message for message in caplog.messages) == 1


async def test_a_tenant_that_used_its_minutes_gets_no_more_today(start: Any, deployment: Deployment) -> None:
    """What ended counts by how long it had its slot; another tenant's minutes are its own."""
    api = await start(deploy=replace(deployment, limits=Limits(tenant_minutes=1)))
    keys, redis = deployment.keys, api.worker.redis
    created = await api.create()
    await redis.hincrbyfloat(keys.session(created["id"]), "placed_at", -61)
    assert (await api.send("DELETE", f"/v1/sessions/{created['id']}")).status == 202
    body = {"user_id": "u", "transport": "websocket", "agent": "demo"}
    answer = await api.send("POST", "/v1/sessions", json=body)
    assert answer.status == 503
    assert (await answer.json())["details"]["limit"] == "tenant_minutes"
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    assert (await api.send("POST", "/v1/sessions", key=OTHER_KEY, json=body)).status == 201

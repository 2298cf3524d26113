"""Carriers are answered within a second whatever is slow here, on real processes: they wait in their own words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
import yaml
from carrier_webhooks import CALLER, SECRETS, Webhook, answered, hold_of, posted, stream_of, twilio_form, webhook
from deployment import Site, site
from redis_roles import redis_roles

from control.telephony.outbound.book import CallBook
from control.telephony.outbound.call import OutboundCall
from voicebackend._redis import connect
from voicebackend.calls import Attempt, CallRequest, CallState
from voicebackend.keys import Keys

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
CONFIG = {
    "provider": "mock",
    "telephony_hook": "slow_hooks:telephony",
    "rate_limiter": "slow_hooks:limiter",
}
SPOILT = {"never": list(SECRETS), "quick": ["telnyx"]}
"""Trunks whose calls fail, by the target that they go to: one that is dead then, for a while, is no other call's."""
ROUTES = {
    "version": 1,
    "targets": {name: {"provider": "mock", "agent": "parrot"} for name in ("chat", "late", *SPOILT)},
    "routes": [
        {"id": "all", "use": [{"to": [{"target": "chat"}]}]},
        *(
            {"id": f"{carrier}-{slow}", "match": {"trunk": f"{carrier}-{slow}"}, "use": [{"to": [{"target": slow}]}]}
            for slow, carriers in SPOILT.items()
            for carrier in carriers
        ),
    ],
}
SOON_S, AT_LAST_S = 1.0, 8.0
"""Seconds in which a carrier is to be answered, and in which it is on a busy machine."""
OUTBOUND = {"caller_ids": ["+14155550100"]}
REDIS: dict[str, str] = {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Give a deployment with trunks at each carrier for which something is slow."""
    folder: Path = tmp_path_factory.mktemp("slow")
    trunks: dict[str, dict[str, Any]] = {
        f"{carrier}-{slow}": {"carrier": carrier, "secret": secret}
        for carrier, secret in SECRETS.items()
        for slow in ("hook", "target", "never", "quick")
    }
    trunks["twilio-target"] |= {"account": f"AC{'0' * 32}", "outbound": OUTBOUND}
    (folder / "telephony.yaml").write_text(yaml.safe_dump({"trunks": trunks, "routes": ROUTES}))
    environment = {
        "VOICEBACKEND_TELEPHONY": str(folder / "telephony.yaml"),
        "VOICEBACKEND_AGENTS": "telephone_agents",
    }
    with redis_roles() as roles:
        REDIS["url"] = roles.state_url
        async with site(CONFIG, workers=1, environment=environment, redis=roles.urls) as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def http(running: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that knows the deployment's key."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.api_key}"}) as client:
        yield client


async def timed(http: aiohttp.ClientSession, url: str, one: Webhook) -> tuple[float, str]:
    """Send a webhook once; return how long its answer took, in seconds, and the answer."""
    before = time.perf_counter()
    status, answer = await posted(http, url, one)
    assert status == 200, answer
    return time.perf_counter() - before, answer


@pytest.mark.parametrize("slow", ["hook", "target"])
async def test_who_has_to_wait_is_told_so_within_a_second(
    running: Site, http: aiohttp.ClientSession, slow: str
) -> None:
    """By every carrier: at once, sent again, and asked once more; then there is one session, at the table's target."""

    async def call(carrier: str) -> float:
        url, call_id = f"{running.url}/v1/telephony/{carrier}-{slow}/call", uuid4().hex
        one = webhook(carrier, url, call_id)
        first = asyncio.create_task(timed(http, url, one), name="first")
        told = [await first, *await asyncio.gather(*(timed(http, url, one) for _ in range(2)))]
        assert hold_of(carrier, told[0][1]) is not None, told[0]
        assert max(took_s for took_s, _ in told) < AT_LAST_S
        streams = await asyncio.gather(*(answered(http, url, one) for _ in range(2)))
        [session] = {stream_of(carrier, answer)[0].rsplit("/", 1)[1] for _, answer in streams}
        async with http.get(f"{running.url}/v1/sessions/{session}") as found:
            view = await found.json()
        assert view["metadata"]["target"] == "chat"
        assert view["user_id"] == f"+{CALLER}"
        async with http.get(f"{running.url}/v1/sessions") as found:
            sessions = (await found.json())["sessions"]
        assert sum(one["metadata"]["call_id"] == view["metadata"]["call_id"] for one in sessions) == 1
        return min(took_s for took_s, _ in told)

    took_s = await asyncio.gather(*map(call, SECRETS))
    assert min(took_s) < SOON_S, took_s


async def test_who_waits_in_vain_hears_that_the_line_is_busy(running: Site, http: aiohttp.ClientSession) -> None:
    """Where the session is not to be had at all."""

    async def call(carrier: str) -> str:
        url = f"{running.url}/v1/telephony/{carrier}-never/call"
        status, answer = await answered(http, url, webhook(carrier, url, uuid4().hex))
        assert status == 200
        return answer

    told = dict(zip(SECRETS, await asyncio.gather(*map(call, SECRETS)), strict=True))
    assert all('reason="busy"' in told[carrier] for carrier in ("twilio", "telnyx", "plivo")), told
    assert told["vonage"] == "[]"


async def test_who_answers_our_call_waits_as_well(running: Site, http: aiohttp.ClientSession) -> None:
    """The carrier asks again, and the call has one session."""
    redis, sid = connect(REDIS["url"]), f"CA{uuid4().hex}"
    call, now = uuid4().hex, time.time()
    attempt = Attempt(number=1, at=now, carrier_call_id=sid)
    book = CallBook(redis, Keys())
    await book.create(
        OutboundCall(
            id=call,
            tenant="default",
            trunk="twilio-target",
            from_="+14155550100",
            created_at=now,
            due_at=now + 9e5,
            request=CallRequest(to="+12025550111", agent="parrot"),
        )
    )
    await book.change(call, lambda found: found.with_(state=CallState.RINGING, attempts=(attempt,), look_at=now + 600))
    url = f"{running.url}/v1/telephony/twilio-target/calls/{call}/answered?attempt=1"
    form = {"CallSid": sid, "CallStatus": "in-progress"}
    took_s, answer = await timed(http, url, twilio_form(url, form))
    again = hold_of("twilio", answer)
    assert again is not None
    assert took_s < AT_LAST_S
    while again is not None:
        await asyncio.sleep(again.wait_s)
        _, answer = await timed(http, again.url, twilio_form(again.url, form))
        again = hold_of("twilio", answer)
    session = stream_of("twilio", answer)[0].rsplit("/", 1)[1]
    found = await book.get(call)
    assert [one.session for one in found.attempts] == [session]
    await redis.aclose()


async def test_while_redis_says_nothing_the_carrier_waits(running: Site, http: aiohttp.ClientSession) -> None:
    """Once Redis is back, calls are taken; a worker that was cut off may first have to say that it is there."""
    redis = connect(REDIS["url"])
    url = f"{running.url}/v1/telephony/telnyx-quick/call"
    one = webhook("telnyx", url, uuid4().hex)
    await redis.execute_command("CLIENT", "PAUSE", "1500")
    took_s, answer = await timed(http, url, one)
    assert hold_of("telnyx", answer) is not None, answer
    assert took_s < AT_LAST_S
    async with asyncio.timeout(60):
        while 'url="' not in answer:
            _, answer = await answered(http, url, webhook("telnyx", url, uuid4().hex))
    assert stream_of("telnyx", answer)[1]
    await redis.aclose()

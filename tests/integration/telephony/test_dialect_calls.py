"""A whole call by each carrier's own webhook and media stream: signed, routed, talked over, keyed in, hung up."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
import yaml
from carrier_call import CarrierCall
from carrier_shapes import CARRIERS, shapes
from carrier_webhooks import SECRETS, Webhook, answered, stream_of, webhook
from deployment import HELPERS, Site, site
from listening import STORY, answer_to
from redis_roles import redis_roles

from control.telephony.replays import REMEMBER_S
from control.telephony.signatures import MAX_AGE_S
from voicebackend._redis import connect
from voicebackend.keys import Keys

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.05}}
ROUTES = {
    "version": 1,
    "targets": {"chat": {"provider": "mock", "agent": "teller"}},
    "routes": [{"id": "all", "use": [{"to": [{"target": "chat"}]}]}],
}
WEBHOOKS = tuple(SECRETS)
"""Carriers that tell of a call by one; Exotel is told once where to stream."""
MAX_CHARACTERS = 20
"""How far what is noted as heard may be from what was: the word that was cut in two, and time on a busy machine."""
REDIS: dict[str, str] = {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Give a deployment with a trunk at each carrier, by its name."""
    folder: Path = tmp_path_factory.mktemp("dialects")
    trunks = {carrier: {"carrier": carrier, "secret": secret} for carrier, secret in SECRETS.items()}
    (folder / "telephony.yaml").write_text(yaml.safe_dump({"trunks": trunks, "routes": ROUTES}))
    environment = {
        "VOICEBACKEND_TELEPHONY": str(folder / "telephony.yaml"),
        "VOICEBACKEND_AGENTS": "story_agents",
        "PYTHONPATH": os.pathsep.join((str(HELPERS), str(HELPERS.parent / "doubles"))),
    }
    with redis_roles() as roles:
        REDIS["url"] = roles.state_url
        async with site(CONFIG, workers=1, environment=environment, redis=roles.urls) as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def running(deployed: Site) -> Site:
    """Give the deployment once it takes calls: a worker on a busy machine takes none for a while."""
    async with asyncio.timeout(60), aiohttp.ClientSession(deployed.url) as http:
        while not await has_room(http):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.2)
    return deployed


async def has_room(http: aiohttp.ClientSession) -> bool:
    """Tell whether there is a worker that takes sessions."""
    async with http.get("/readyz") as found:
        return found.status == 200 and bool((await found.json())["slots_free"])


@pytest_asyncio.fixture(loop_scope="module")
async def http(running: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that knows the deployment's key."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    async with aiohttp.ClientSession(running.url, headers=headers) as client:
        yield client


def url_of(running: Site, carrier: str) -> str:
    """Return where a carrier sends its webhooks."""
    return f"{running.url}/v1/telephony/{carrier}/call"


async def sent(running: Site, carrier: str, one: Webhook) -> tuple[int, str]:
    """Send a webhook, until its carrier is not told to wait; return status and body."""
    async with aiohttp.ClientSession() as http:
        return await answered(http, url_of(running, carrier), one)


async def begun(running: Site, http: aiohttp.ClientSession, carrier: str) -> tuple[str, str]:
    """Have a call begin; return the address of its stream, and the token for it."""
    if carrier in WEBHOOKS:
        status, answer = await sent(running, carrier, webhook(carrier, url_of(running, carrier), uuid4().hex))
        assert status == 200, answer
        return stream_of(carrier, answer)
    body = {"user_id": "u", "transport": "telephony", "agent": "teller", "metadata": {"carrier": carrier}}
    async with http.post("/v1/sessions", json=body) as created:
        session = (await created.json())["id"]
    async with http.post(f"/v1/sessions/{session}/token") as answered:
        token = (await answered.json())["token"]
    return f"{running.url}/v1/telephony/{carrier}/stream/{session}", token


@asynccontextmanager
async def streaming(url: str, token: str, carrier: str) -> AsyncIterator[CarrierCall]:
    """Stream a call as its carrier does; what it would not have done ends the test."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        call = CarrierCall(ws, token, shapes(carrier))
        running = asyncio.create_task(call.run(), name="carrier")
        try:
            yield call
        finally:
            running.cancel()
            ended = await asyncio.gather(running, return_exceptions=True)
        assert not isinstance(ended[0], AssertionError), ended[0]


async def log_of(http: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    """Return the events of a session that is over, or about to be."""
    async with asyncio.timeout(20), http.get(f"/v1/sessions/{url.rsplit('/', 1)[1]}/events") as found:
        return [json.loads(line[6:]) async for line in found.content if line.startswith(b"data: ")]


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_conversation_with_an_interruption(running: Site, http: aiohttp.ClientSession, carrier: str) -> None:
    """Words arrive to the letter both ways; who is talked over stops, and the agent knows what was heard of it."""
    url, token = await begun(running, http, carrier)
    async with streaming(url, token, carrier) as call:
        call.say("hello there")
        await call.answered()
        assert call.words == answer_to("hello there")
        begin, before_s = len(call.heard), call.heard_s
        call.say("tell me a story")
        await call.until(lambda: call.heard_s > before_s + 1.5)
        call.say("please stop it now")
        await call.until(lambda: call.clears == 1)
        await call.answered()
        assert call.words.endswith(answer_to("please stop it now"))
        await call.press("5")
        await call.press("#")
        await call.hang_up()
        events = await log_of(http, url)
    said = [event for event in events if event["type"] == "transcript" and event["final"]]
    assert [one["text"].strip() for one in said if one["role"] == "user"] == [
        *("hello there", "tell me a story", "please stop it now"),
    ]
    [told] = [one["text"].strip() for one in said if one.get("interrupted")]
    heard = call.words_between(begin, call.cut_at[0])
    assert STORY.startswith(told)
    assert STORY.startswith(heard[:-1])  # the last letter may be cut in two
    assert abs(len(told) - len(heard)) <= MAX_CHARACTERS, (told, heard)
    assert call.marks > 3
    assert [event["digit"] for event in events if event["type"] == "dtmf"] == ["5", "#"]
    assert events[-1]["reason"] in {"hangup", "left"}, events[-1]


async def test_the_log_says_that_a_machine_is_there(running: Site, http: aiohttp.ClientSession) -> None:
    """Of a session that is to find it out; once, and that it is silent then."""
    about = {"carrier": "exotel", "detect_machine": True}
    body = {"user_id": "u", "transport": "telephony", "agent": "teller", "metadata": about}
    async with http.post("/v1/sessions", json=body) as created:
        session = (await created.json())["id"]
    async with http.post(f"/v1/sessions/{session}/token") as told:
        token = (await told.json())["token"]
    url = f"{running.url}/v1/telephony/exotel/stream/{session}"
    async with streaming(url, token, "exotel") as call:
        call.say("leave a message after the tone")
        await call.answered()
        await call.hang_up()
        events = await log_of(http, url)
    said = [(one["who"], one["speaks"]) for one in events if one["type"] == "answerer"]
    assert said[-1] == ("machine", False)
    assert {who for who, _ in said} == {"machine"}


@pytest.mark.parametrize("carrier", WEBHOOKS)
async def test_who_cannot_prove_to_be_the_carrier_gets_nothing(running: Site, carrier: str) -> None:
    """Unsigned, altered, and signed for another address or, where signatures have a time, at another time."""
    url, call = url_of(running, carrier), uuid4().hex
    good = webhook(carrier, url, call)
    elsewhere = webhook(carrier, f"{url}s", call, at=time.time() - MAX_AGE_S - 100)
    for bad in (good.unsigned(), good.altered(), elsewhere):
        assert (await sent(running, carrier, bad))[0] == 403
    status, answer = await sent(running, carrier, good)
    assert status == 200
    await end(running, stream_of(carrier, answer)[0])


@pytest.mark.parametrize("carrier", WEBHOOKS)
async def test_who_sends_a_webhook_again_gets_nothing_new(running: Site, carrier: str) -> None:
    """The same session until the caller is there; then 403, also once the call is long forgotten."""
    one = webhook(carrier, url_of(running, carrier), uuid4().hex)
    answers = [await sent(running, carrier, one) for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200]
    (url, token), (again, _) = [stream_of(carrier, answer) for _, answer in answers]
    assert url == again
    async with streaming(url, token, carrier) as call:
        call.say("hello there")
        await call.answered()
        assert (await sent(running, carrier, one))[0] == 403
        await call.hang_up()
    await end(running, url)
    assert (await sent(running, carrier, one))[0] == 403
    if carrier in {"twilio", "plivo"}:
        await days_pass()
        assert (await sent(running, carrier, one))[0] == 403


async def days_pass() -> None:
    """Have every call forgotten, and every signature be older than a carrier would repeat it."""
    redis = connect(REDIS["url"])
    async for key in redis.scan_iter(f"{Keys().prefix}:call:*"):
        await redis.delete(key)
    async for key in redis.scan_iter(Keys().webhook_signature("*", "").rpartition(":")[0] + ":*"):
        await redis.expire(key, round(REMEMBER_S - MAX_AGE_S - 60))
    await redis.aclose()


async def test_webhooks_are_answered_in_time(running: Site) -> None:
    """A call begins within a second as a rule; carriers wait for five at least, and this machine may be busy."""
    took_s, urls = [], []
    for _ in range(5):
        before = time.perf_counter()
        status, answer = await sent(running, "twilio", webhook("twilio", url_of(running, "twilio"), uuid4().hex))
        took_s.append(time.perf_counter() - before)
        assert status == 200
        urls.append(stream_of("twilio", answer)[0])
    for url in urls:
        await end(running, url)
    assert min(took_s) < 1.0, took_s
    assert max(took_s) < 5.0, took_s


async def end(running: Site, url: str) -> None:
    """End a session, so that its slot is free."""
    headers = {"Authorization": f"Bearer {running.api_key}", "Prefer": "wait=5"}
    session = url.rsplit("/", 1)[1]
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.delete(f"{running.url}/v1/sessions/{session}") as ended,
    ):
        assert ended.status in {202, 204}

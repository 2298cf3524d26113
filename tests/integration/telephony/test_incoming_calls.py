"""Telephone calls from the carrier's webhook to the end of the conversation, on real processes."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4
from xml.etree import ElementTree

import aiohttp
import pytest
import pytest_asyncio
import yaml
from carrier_call import TwilioCall
from carrier_webhooks import OK, hold_of
from deployment import Site, site

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
TOKEN = "0123456789abcdef0123456789abcdef"
SLOTS = 3
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.05},
    "max_concurrent_sessions": SLOTS,
}
ROUTES = {
    "version": 1,
    "targets": {"chat": {"provider": "mock", "agent": "parrot"}, "gone": {"provider": "nobody", "agent": "parrot"}},
    "deny": [{"caller": ["+1900*"], "code": 603}],
    "routes": [
        {
            "id": "main",
            "match": {"called": ["+1415555*"]},
            "use": [{"to": [{"target": "gone"}]}, {"to": [{"target": "chat"}]}],
        }
    ],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Give a deployment with a trunk at Twilio."""
    folder: Path = tmp_path_factory.mktemp("telephony")
    trunks = {
        "main": {"carrier": "twilio", "secret_env": "TWILIO_TOKEN"},
        "plivo": {"carrier": "plivo", "secret": TOKEN},
    }
    (folder / "routes.yaml").write_text(yaml.safe_dump(ROUTES))
    (folder / "telephony.yaml").write_text(yaml.safe_dump({"trunks": trunks, "routes": "routes.yaml"}))
    environment = {"VOICEBACKEND_TELEPHONY": str(folder / "telephony.yaml"), "TWILIO_TOKEN": TOKEN}
    async with site(
        CONFIG, workers=1, environment={**environment, "VOICEBACKEND_AGENTS": "telephone_agents"}
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def running(deployed: Site) -> Site:
    """Give the deployment with all its slots free, whatever the test before left behind."""
    headers = {"Authorization": f"Bearer {deployed.api_key}"}
    async with asyncio.timeout(60), aiohttp.ClientSession(deployed.url, headers=headers) as http:
        while not await is_free(http):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.1)
    return deployed


async def is_free(http: aiohttp.ClientSession) -> bool:
    """Tell whether no session has a slot; one that has is ended."""
    async with http.get("/v1/sessions") as found:
        live = [one["id"] for one in (await found.json())["sessions"] if one["state"] not in {"ended", "failed"}]
    for session in live:
        async with http.delete(f"/v1/sessions/{session}") as ended:
            assert ended.status in {202, 204, 404}
    async with http.get("/readyz") as found:
        return not live and (await found.json())["slots_free"] == SLOTS


@pytest.fixture
def run() -> str:
    """Give calls ids of their own: a refused call stays refused, also when a test is run again."""
    return uuid4().hex


def sid(name: str) -> str:
    """Return the id of a call as Twilio has them."""
    return "CA" + sha256(name.encode()).hexdigest()[:32]


async def told(
    running: Site,
    http: aiohttp.ClientSession,
    *,
    call: str,
    caller: str = "+12025550111",
    called: str = "+14155559999",
    trunk: str = "main",
    token: str = TOKEN,
) -> tuple[int, str]:
    """Tell of a call as Twilio does, until it is not told to wait; return status and body."""
    url = f"{running.url}/v1/telephony/{trunk}/call"
    form = {"CallSid": sid(call) if call else "", "From": caller, "To": called, "Direction": "inbound"}
    while True:
        signed = url + "".join(name + form[name] for name in sorted(form))
        signature = b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        async with http.post(url, data=urlencode(form), headers=headers) as response:
            status, answer = response.status, await response.text()
        again = hold_of("twilio", answer) if status == OK else None
        if again is None:
            return status, answer
        await asyncio.sleep(again.wait_s)
        url = again.url


def stream_of(answer: str) -> tuple[str, str]:
    """Return the address and the token of a ``<Stream>``."""
    stream = ElementTree.fromstring(answer).find("Connect/Stream")  # noqa: S314 - our own
    assert stream is not None, answer
    parameter = stream.find("Parameter")
    assert parameter is not None
    assert "?" not in stream.attrib["url"]
    return stream.attrib["url"], parameter.attrib["value"]


async def test_a_call_comes_in_is_routed_and_is_answered(running: Site, run: str) -> None:
    """The first target takes no calls, so the next does; the caller hears the agent."""
    async with aiohttp.ClientSession() as http:
        status, answer = await told(running, http, call=run)
        assert status == 200
        url, token = stream_of(answer)
        async with http.ws_connect(url) as ws:
            call = TwilioCall(ws, token)
            holding = asyncio.create_task(call.run(), name="carrier")
            call.say("good morning")
            await call.answered()
            assert call.words == "good morning"
            await call.hang_up()
            async with asyncio.timeout(10):
                await asyncio.gather(holding, return_exceptions=True)
        session = url.rsplit("/", 1)[1]
        headers = {"Authorization": f"Bearer {running.api_key}"}
        async with http.get(f"{running.url}/v1/sessions/{session}", headers=headers) as response:
            view = await response.json()
        assert view["metadata"]["route"] == "main"
        assert view["metadata"]["said"]["caller"] == "+12025550111"
        assert view["user_id"] == "+12025550111"
        assert (await told(running, http, call=run))[0] == 403


async def logged(running: Site, http: aiohttp.ClientSession, url: str, said: bytes) -> None:
    """Return once the session's log says this."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    events = f"{running.url}/v1/sessions/{url.rsplit('/', 1)[1]}/events"
    async with asyncio.timeout(10), http.get(events, headers=headers) as found:
        async for line in found.content:
            if said in line:
                return
    raise AssertionError(said)


async def test_plivo_gets_a_ticket_that_opens_the_stream_once(running: Site) -> None:
    """Its headers take letters and digits only, which no token of ours is."""
    url = f"{running.url}/v1/telephony/plivo/call"
    form = {"CallUUID": str(uuid4()), "From": "12025550111", "To": "14155559999"}
    signed = f"{url}?{''.join(name + form[name] for name in sorted(form))}.n1"
    signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha256")).decode()
    headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "n1"}
    async with aiohttp.ClientSession() as http:
        async with http.post(url, data=form, headers=headers) as response:
            stream = ElementTree.fromstring(await response.text()).find("Stream")  # noqa: S314 - our own
        assert stream is not None
        name, _, ticket = stream.attrib["extraHeaders"].partition("=")
        assert name == "token"
        assert ticket.isalnum()
        form_of = {"encoding": "audio/x-mulaw", "sampleRate": 8000}
        begun = {"callId": "c", "streamId": "s", "mediaFormat": form_of}
        begin = {"event": "start", "start": begun, "extra_headers": f"{name}={ticket},x=1"}
        async with http.ws_connect(stream.text or "") as ws, http.ws_connect(stream.text or "") as thief:
            await ws.send_json(begin)
            await ws.send_json({"event": "dtmf", "dtmf": {"track": "inbound", "digit": "5"}})
            await logged(running, http, stream.text or "", b'"dtmf"')
            await thief.send_json(begin)
            assert (await thief.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
            assert thief.close_code == 4401
        await end(running, http, stream.text or "")


async def test_a_webhook_that_is_sent_again_gets_the_same_session(running: Site, run: str) -> None:
    """Also if both come at once; the token is a new one."""
    async with aiohttp.ClientSession() as http:
        answers = await asyncio.gather(*(told(running, http, call=run) for _ in range(4)))
        again = await told(running, http, call=run)
        urls = {stream_of(answer)[0] for status, answer in [*answers, again] if status == 200}
        assert len(urls) == 1
        await end(running, http, urls.pop())


async def end(running: Site, http: aiohttp.ClientSession, url: str) -> None:
    """End a session, so that its slot is free."""
    headers = {"Authorization": f"Bearer {running.api_key}", "Prefer": "wait=5"}
    async with http.delete(f"{running.url}/v1/sessions/{url.rsplit('/', 1)[1]}", headers=headers) as response:
        assert response.status in {202, 204}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"caller": "+19005551234"}, "rejected"),
        ({"called": "+493012345678"}, "rejected"),
        ({"called": "911"}, "rejected"),
    ],
)
async def test_what_no_route_takes_is_refused(running: Site, run: str, call: dict[str, str], reason: str) -> None:
    """In the carrier's own words."""
    async with aiohttp.ClientSession() as http:
        status, answer = await told(running, http, call=run, **call)
        reject = ElementTree.fromstring(answer).find("Reject")  # noqa: S314 - our own
        assert status == 200
        assert reject is not None
        assert reject.attrib == {"reason": reason}


async def test_a_call_without_room_is_told_that_the_line_is_busy(running: Site, run: str) -> None:
    """And one with room is taken again."""
    async with aiohttp.ClientSession() as http:
        answers = [await told(running, http, call=f"{run}-{number}") for number in range(SLOTS + 1)]
        taken = [answer for _, answer in answers if "<Stream" in answer]
        assert 1 <= len(taken) <= SLOTS
        assert 'reason="busy"' in answers[-1][1]
        for answer in taken:
            await end(running, http, stream_of(answer)[0])


async def test_what_is_not_the_carriers_is_refused_before_anything_is_done(running: Site) -> None:
    """Forged or unsigned, of an unknown trunk, or without a call."""
    async with aiohttp.ClientSession() as http:
        assert (await told(running, http, call="CA9", token="f" * 32))[0] == 403
        assert (await told(running, http, call="CA9", trunk="other"))[0] == 404
        assert (await told(running, http, call=""))[0] == 415
        url = f"{running.url}/v1/telephony/main/call"
        async with http.post(url, data={"CallSid": sid("CA9")}) as response:
            assert response.status == 403
        async with http.post(url, data={f"field{number}": "" for number in range(501)}) as response:
            assert response.status == 415
    assert not any(TOKEN in line or "+12025550111" in line for _, line in running.log)

"""Explaining calls, the table that holds, what is known of calls, and their report, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from twilio_caller import TOKEN, Told, TwilioCaller

from voicebackend.settings import Deployment

KEY, OTHER_KEY = "test-key-0123456789", "other-key-0123456789"
ROUTES: dict[str, Any] = {
    "version": 3,
    "targets": {"desk": {"provider": "mock", "agent": "demo"}, "rooms": {"provider": "rooms"}},
    "deny": [{"caller": ["+1900*"]}],
    "routes": [
        {
            "id": "main",
            "match": {"called": ["+1*"], "header": {"x-vip": "yes"}},
            "use": [{"to": [{"target": "desk"}]}],
        },
        {"id": "acme", "match": {"tenant": "acme", "called": ["+49*"]}, "use": [{"to": [{"target": "rooms"}]}]},
        {"id": "rest", "use": [{"to": [{"target": "desk"}]}]},
    ],
}

pytestmark = pytest.mark.integration


class Hook:
    """A telephony hook that names a target."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        return "desk"

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        return b""

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        return {"account": 7, "carrier": "from the hook"}


@pytest.fixture
async def telephone(start: Any, deployment: Deployment, tmp_path: Path) -> Any:
    """Give what starts control with trunks of two tenants."""
    trunks = {name: {"carrier": "twilio", "secret": TOKEN, "tenant": name} for name in ("default", "acme")}
    path = tmp_path / "telephony.yaml"
    path.write_text(yaml.safe_dump({"trunks": trunks, "routes": ROUTES}))
    keys = {KEY: "default", OTHER_KEY: "acme"}

    async def begin(**changes: Any) -> Any:
        return await start(deploy=replace(deployment, telephony=path, api_keys=keys), **changes)

    return begin


async def tell(api: Any, trunk: str = "default", **form: str) -> Told:
    """Tell of a call as Twilio does."""
    async with aiohttp.ClientSession() as http:
        return await TwilioCaller(http, api.serving.url, KEY, trunk=trunk).tell(**form)


async def answer(api: Any, method: str, path: str, **options: Any) -> Any:
    """Return what is answered to a good request."""
    found = await api.send(method, path, **options)
    assert found.status == 200, await found.text()
    return await found.json()


async def test_an_operator_is_told_where_a_call_would_go(telephone: Any) -> None:
    """By number, header, tenant and hour, with each target's health."""
    api = await telephone()
    asked = {"called": "(415) 555-0123", "caller": "+12025550111", "headers": {"X-VIP": "yes"}}
    found = await answer(api, "POST", "/v1/telephony/explain", json=asked)
    assert (found["route"], found["choices"][0]["provider"], found["code"]) == ("main", "mock", 0)
    assert found["targets"]["desk"]["state"] == "closed"
    assert "main: taken" in found["steps"]
    found = await answer(api, "POST", "/v1/telephony/explain", json={"called": "+493012345678", "tenant": "acme"})
    assert (found["route"], list(found["targets"])) == ("acme", ["rooms"])
    found = await answer(
        api, "POST", "/v1/telephony/explain", json={"called": "+14155550123", "caller": "+19005551234"}
    )
    assert (found["code"], found["reason"], found["choices"]) == (603, "denied", [])


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "called"), ({"called": "x" * 300}, "called"), ({"called": "1", "at": "noon"}, "at"), ({"more": 1}, "called")],
)
async def test_what_cannot_be_explained_is_told(telephone: Any, body: dict[str, Any], field: str) -> None:
    """With the field that is wrong."""
    api = await telephone()
    found = await (await api.send("POST", "/v1/telephony/explain", json=body)).json()
    assert (found["code"], found["details"]["field"]) == ("invalid_config", field)


async def test_routing_is_for_operators(telephone: Any) -> None:
    """It is everyone's: another tenant's key sees none of it."""
    api = await telephone()
    body = {"json": {"called": "+14155550123"}}
    assert await api.problem("POST", "/v1/telephony/explain", key=OTHER_KEY, **body) == (403, "authorization_failed")
    assert await api.problem("GET", "/v1/telephony/routes", key=OTHER_KEY) == (403, "authorization_failed")
    shown = await answer(api, "GET", "/v1/telephony/routes")
    assert shown["version"].startswith("3-")
    assert (shown["routes"], shown["trunks"], sorted(shown["targets"])) == (3, ["acme", "default"], ["desk", "rooms"])


async def test_each_tenant_knows_its_own_calls(telephone: Any) -> None:
    """What was told of them, with what can be forged marked so; and their report."""
    api = await telephone()
    told = await tell(api, StirVerstat="TN-Validation-Passed-A")
    path = f"/v1/telephony/calls/{told.call_id}"
    known = await answer(api, "GET", path)
    assert (known["session"], known["outcome"], known["target"]) == (told.session, "taken", "desk")
    assert (known["phone_number"], known["attestation"]) == ("+14155559999", "TN-Validation-Passed-A")
    assert known["said"] == {"caller": "+12025550111", "number": "+12025550111", "headers": {}}
    assert await api.problem("GET", path, key=OTHER_KEY) == (404, "session_not_found")
    refused = await tell(api, "acme", To="+493012345678")
    assert refused.status == 400  # its target cannot telephone: a setting of ours is wrong
    report = await answer(api, "GET", "/v1/telephony/report")
    assert (report["calls"], report["taken"][0]["trunk"]) == (1, "default")
    assert (await answer(api, "GET", "/v1/telephony/report", key=OTHER_KEY))["calls"] == 0
    assert (await answer(api, "GET", "/v1/telephony/report?day=2020-01-31"))["calls"] == 0


@pytest.mark.parametrize("day", ["2020-02-30", "today", "2020-1-1", "20200101", "2020-01-01|x"])
async def test_a_day_is_a_day(telephone: Any, day: str) -> None:
    """And nothing else becomes a key in Redis."""
    assert await (await telephone()).problem("GET", f"/v1/telephony/report?day={day}") == (400, "invalid_config")


async def test_a_session_by_hand_is_told_what_its_carrier_said(telephone: Any) -> None:
    """If the call is its tenant's; the hook adds to it, names a target, and what the request says stays."""
    api = await telephone(telephony_hook=Hook())
    told = await tell(api)
    metadata = {"phone_number": "+14155559999", "call_id": told.call_id, "trunk": "mine"}
    body = {"user_id": "u", "transport": "telephony", "metadata": metadata}
    made = await (await api.send("POST", "/v1/sessions", json=body)).json()
    assert (made["provider"], made["agent"]) == ("mock", "demo")
    assert made["metadata"]["said"]["caller"] == "+12025550111"
    assert (made["metadata"]["account"], made["metadata"]["trunk"]) == (7, "mine")
    other = await (await api.send("POST", "/v1/sessions", key=OTHER_KEY, json=body)).json()
    assert "said" not in other["metadata"]


async def test_where_no_calls_come_in_that_is_told(start: Any) -> None:
    """With the variable to set."""
    api = await start()
    assert await api.problem("GET", "/v1/telephony/report") == (400, "invalid_config")
    assert (await answer(api, "GET", "/readyz", key=None))["telephony"] is None

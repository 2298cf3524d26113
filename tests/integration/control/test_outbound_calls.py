"""``/v1/calls`` and ``/v1/do-not-call``: what may be planned, by whom, and what is refused before that."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import yaml
from redis.asyncio import Redis

from voicebackend.settings import Deployment

KEY, OTHER_KEY = "test-key-0123456789", "other-key-0123456789"
CALLER_ID, STRICT_ID = "+14155550100", "+14155550199"
TO = "+12025550111"
ALWAYS = [{"zone": "UTC", "from": "00:00", "until": "00:00"}]
TRUNKS = {
    "main": {"carrier": "mock", "outbound": {"caller_ids": [CALLER_ID], "allow": ["+1*", "+49*"]}},
    "strict": {"carrier": "mock", "outbound": {"caller_ids": [STRICT_ID], "consent": "required"}},
    "theirs": {"carrier": "mock", "tenant": "acme", "outbound": {"caller_ids": ["+14155550150"]}},
}
CONSENT = {"text_version": "2026-01", "method": "web_form", "at": "2026-10-01T12:00:00+02:00", "proof": "form/17"}


@pytest_asyncio.fixture
async def api(start: Callable[..., Awaitable[Any]], deployment: Deployment, tmp_path: Path) -> Any:
    """Give a client of a control process whose trunks make calls."""
    file = tmp_path / "telephony.yaml"
    file.write_text(yaml.safe_dump({"trunks": TRUNKS}))
    keys = {KEY: "default", OTHER_KEY: "acme"}
    return await start(deploy=replace(deployment, telephony=file, api_keys=keys))


async def planned(api: Any, *, status: int = 201, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    """Plan a call and return what the API says of it."""
    body = {"to": TO, "trunk": "main", "windows": ALWAYS, **changes}
    answer = await api.send("POST", "/v1/calls", json=body, headers=headers or {})
    assert answer.status == status, await answer.text()
    return await answer.json()


async def test_a_call_is_planned_read_listed_and_called_off(api: Any) -> None:
    """With what was asked for, and when it is due."""
    at = datetime.now(UTC) + timedelta(days=3)
    made = await planned(api, at=at.isoformat(), metadata={"order": 7}, agent="demo")
    assert made["state"] == "planned"
    assert made["from"] == CALLER_ID
    assert made["due_at"] == pytest.approx(at.timestamp(), abs=0.01)
    assert (await (await api.send("GET", f"/v1/calls/{made['id']}")).json()) == made
    later = await planned(api)
    page = await (await api.send("GET", "/v1/calls?limit=1")).json()
    assert [call["id"] for call in page["calls"]] == [later["id"]]
    rest = await (await api.send("GET", f"/v1/calls?cursor={page['cursor']}")).json()
    assert [call["id"] for call in rest["calls"]] == [made["id"]]
    answer = await api.send("DELETE", f"/v1/calls/{made['id']}")
    assert (answer.status, (await answer.json())["state"]) == (202, "cancelled")
    assert (await api.send("DELETE", f"/v1/calls/{made['id']}")).status == 204


async def test_a_call_of_another_tenant_is_not_there(api: Any) -> None:
    """Neither to read nor to call off, nor by its trunk."""
    made = await planned(api)
    for method in ("GET", "DELETE"):
        assert await api.problem(method, f"/v1/calls/{made['id']}", key=OTHER_KEY) == (404, "session_not_found")
    assert (await (await api.send("GET", "/v1/calls", key=OTHER_KEY)).json())["calls"] == []
    body = {"to": TO, "trunk": "theirs", "windows": ALWAYS}
    assert await api.problem("POST", "/v1/calls", json=body) == (400, "invalid_config")
    assert await api.problem("GET", f"/v1/calls/{'0' * 32}") == (404, "session_not_found")
    assert await api.problem("GET", "/v1/calls/*") == (404, "session_not_found")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": "+1911"}, "to"),
        ({"to": "2025550111"}, "to"),
        ({"to": "+19005550111"}, "to"),
        ({"to": "+12025"}, "to"),
        ({"to": "+999202555011"}, "to"),
        ({"to": "+1112025550"}, "to"),
        ({"from": "+14155559999"}, "from"),
        ({"trunk": "nobody"}, "trunk"),
        ({"trunk": None}, "trunk"),
        ({"trunk": "strict"}, "consent"),
        ({"trunk": "strict", "consent": {**CONSENT, "at": "2026-10-01T12:00:00"}}, "consent.at"),
        ({"at": "2026-10-01T12:00:00"}, "at"),
        ({"at": "2020-10-01T12:00:00Z"}, "at"),
        ({"at": "2999-10-01T12:00:00Z"}, "at"),
        ({"windows": [{"zone": "Mars/Base"}]}, "windows"),
        ({"windows": []}, "windows"),
        ({"windows": [{"from": 900}]}, "windows.0.from"),
        ({"windows": [{"days": ["noday"]}]}, "windows.0.days.0"),
        ({"to": "+18005550123", "windows": [{"from": "08:00", "until": "09:00"}]}, "windows"),
        ({"retries": {"busy": {"count": 99, "wait": 60}}}, "retries.busy.count"),
        ({"max_ring_s": 1}, "max_ring_s"),
        ({"metadata": {"a": "x" * 9000}}, "metadata"),
        ({"on_machine": "leave_message"}, "body"),
        ({"nonsense": 1}, "nonsense"),
        ({"metadata": {"a": "\ud800"}}, "body"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "at"),
        ({"retries": {"busy": {"count": 1, "wait": float("nan")}}}, "body"),
        ({"max_ring_s": True}, "max_ring_s"),
        ({"to": "+1202555011\n"}, "to"),
        ({"to": "+１２０２５５５０１１１"}, "to"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_called_is_refused_with_the_field(
    api: Any, redis: Redis, deployment: Deployment, changes: dict[str, Any], field: str
) -> None:
    """And nothing is written."""
    body = {"to": TO, "trunk": "main", "windows": ALWAYS, **changes}
    answer = await api.send("POST", "/v1/calls", json=body)
    said = await answer.json(content_type=None)
    assert (answer.status, said["details"].get("field")) == (400, field), said
    assert TO not in str(said)
    assert [key async for key in redis.scan_iter(match=f"{deployment.prefix}:outbound:*")] == []


async def test_a_trunk_calls_only_where_it_may(api: Any) -> None:
    """The countries of its caller ids, or what it allows: who steals a key calls no island."""
    for trunk, to in (("main", "+6768765432"), ("strict", "+493012345678")):
        body = {"to": to, "trunk": trunk, "windows": ALWAYS, "consent": CONSENT}
        answer = await api.send("POST", "/v1/calls", json=body)
        assert (answer.status, (await answer.json())["details"]) == (400, {"field": "to"})


async def test_by_default_calls_wait_for_day_where_the_number_is(api: Any) -> None:
    """Between 8 and 21 h there."""
    made = await planned(api, to="+493012345678", windows=[{}])
    hour = datetime.fromtimestamp(made["due_at"], UTC).astimezone(ZoneInfo("Europe/Berlin")).hour
    assert 8 <= hour < 21
    assert made["due_at"] - time.time() < 12 * 3600


async def test_the_same_idempotency_key_makes_one_call(api: Any) -> None:
    """The same request gets the same call, another one is refused, and so is a key that is none."""
    first = await planned(api, headers={"Idempotency-Key": "k1"})
    again = await planned(api, headers={"Idempotency-Key": "k1"}, status=200)
    assert again["id"] == first["id"]
    body = {"to": TO, "trunk": "main", "windows": ALWAYS, "max_ring_s": 20}
    refused = await api.problem("POST", "/v1/calls", json=body, headers={"Idempotency-Key": "k1"})
    assert refused == (409, "session_already_active")
    wrong = await api.problem("POST", "/v1/calls", json=body, headers={"Idempotency-Key": "x" * 129})
    assert wrong == (400, "invalid_config")
    assert len((await (await api.send("GET", "/v1/calls")).json())["calls"]) == 1


async def test_consent_is_kept_once_and_read_by_its_tenant_only(api: Any, redis: Redis, deployment: Deployment) -> None:
    """With what proves it; also after the call's record has expired."""
    for status in (201, 200):
        made = await planned(api, trunk="strict", consent=CONSENT, headers={"Idempotency-Key": "c"}, status=status)
    assert len([key async for key in redis.scan_iter(match=f"{deployment.prefix}:outbound:consent:*")]) == 1
    await redis.delete(deployment.keys.outbound(made["id"]))
    answer = await (await api.send("GET", f"/v1/calls/{made['id']}/consent")).json()
    assert (answer["method"], answer["proof"]) == ("web_form", "form/17")
    assert (await api.problem("GET", f"/v1/calls/{made['id']}/consent", key=OTHER_KEY))[0] == 404
    assert "consent" not in made


async def test_who_is_on_the_list_is_not_called_until_off_it(api: Any) -> None:
    """Each tenant has a list of its own; a number keeps the date since which it is on it."""
    path = "/v1/do-not-call/%2B12025550111"
    assert (await api.problem("GET", path))[0] == 404
    first = await (await api.send("PUT", path, json={"reason": "asked"})).json()
    assert (await (await api.send("PUT", path)).json()) == first
    assert (await (await api.send("GET", path)).json()) == {"number": TO, "since": first["since"], "reason": "asked"}
    refused = await api.problem("POST", "/v1/calls", json={"to": TO, "trunk": "main", "windows": ALWAYS})
    assert refused == (403, "authorization_failed")
    assert (await api.problem("GET", path, key=OTHER_KEY))[0] == 404
    assert (await api.send("DELETE", path)).status == 204
    await planned(api)
    assert (await api.problem("PUT", "/v1/do-not-call/911"))[0] == 400

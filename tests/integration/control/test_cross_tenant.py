"""Every route and every websocket, asked for another tenant's things: all look as if they had never been."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import tenant_table as table
from carrier_webhooks import TOKEN, twilio_form
from redis.asyncio import Redis
from tenant_world import ACME, CARRIERS_ID, NUMBER, OPERATOR, OTHER, PUBLIC_URL, World, one_of_everything

from control.http.app import ALL_ROUTES
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
STRANGERS = {"another tenant": OTHER, "the operator": OPERATOR}


@pytest_asyncio.fixture
async def world(
    start: Callable[..., Awaitable[Any]],
    deployment: Deployment,
    redis: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Give a deployment in which the tenant ``acme`` has one of everything."""
    monkeypatch.setenv("ACME_TWILIO", TOKEN[::-1])
    monkeypatch.setenv("OTHER_TWILIO", TOKEN)
    return await one_of_everything(start, deployment, redis, tmp_path)


def test_every_route_stands_in_the_table() -> None:
    """A new route needs a row: what may a stranger see there?"""
    rows = [
        *table.THINGS,
        *table.OWN,
        *table.EVERYONES,
        *table.BY_TOKEN,
        *table.BY_SIGNATURE,
        *table.NOBODYS,
    ]
    assert sorted(rows) == sorted(route.operation for route in ALL_ROUTES)
    public = {route.operation for route in ALL_ROUTES if route.public}
    assert public == table.BY_TOKEN | table.BY_SIGNATURE | table.NOBODYS


async def _seen(world: World, route: Any, thing: table.Thing, id_: str, key: str) -> tuple[Any, ...]:
    name = route.path.partition("{")[2].partition("}")[0]
    path = route.path.replace(f"{{{name}}}", id_)
    body: dict[str, Any] = {"json": thing.json} if thing.json is not None else {}
    if thing.data is not None:
        body = {"data": thing.data, "headers": {"Content-Type": "application/octet-stream"}}
    answer = await world.api.send(route.method, path, key=key, params=dict(thing.query), **body)
    return table.told(answer.status, answer.headers, await answer.text(errors="replace"), id_)


def _about_things() -> list[Any]:
    """Return the routes with an id; those that read come first, before others have made what they could find."""
    routes = [route for route in ALL_ROUTES if route.operation in table.THINGS]
    return sorted(routes, key=lambda route: route.method != "GET")


def _id(world: World, route: Any) -> tuple[str, str]:
    """Return acme's id for a route's path, and one of its kind that never was."""
    name = route.path.partition("{")[2].partition("}")[0]
    if route.operation == "telephony.known":
        return CARRIERS_ID, "CA" + "8" * 32
    return world.ids[name], table.never(name)


@pytest.mark.parametrize("who", STRANGERS)
async def test_another_tenants_thing_looks_as_one_that_never_was(world: World, who: str) -> None:
    """On every route with an id: same status, same headers, same body."""
    seen: dict[str, tuple[Any, Any]] = {}
    for route in _about_things():
        thing, (theirs, nobodys) = table.THINGS[route.operation], _id(world, route)
        key = STRANGERS[who]
        seen[route.operation] = (
            await _seen(world, route, thing, theirs, key),
            await _seen(world, route, thing, nobodys, key),
        )
    assert {name: pair for name, pair in seen.items() if pair[0] != pair[1]} == {}
    succeeded = {name for name, (foreign, _) in seen.items() if foreign[0] < 400}
    assert succeeded == {"do_not_call.put", "do_not_call.delete"}  # of the asking tenant's own list
    assert all(table.MARK not in str(pair) for pair in seen.values())


async def test_the_owner_is_answered_where_strangers_are_not(world: World) -> None:
    """Else the test before would prove nothing; and after all that strangers tried, nothing is gone."""
    routes = _about_things()
    for route in routes:
        await _seen(world, route, table.THINGS[route.operation], _id(world, route)[0], OTHER)
    for route in routes:
        thing = table.THINGS[route.operation]
        if thing.owner:
            answered = await _seen(world, route, thing, _id(world, route)[0], ACME)
            assert answered[0] == thing.owner, (route.operation, answered)
    for path, field, one in (
        ("/v1/holds", "holds", "hold_id"),
        ("/v1/keys", "keys", "key_id"),
        ("/v1/webhooks", "webhooks", "webhook_id"),
        ("/v1/webhooks/undelivered", "deliveries", "delivery_id"),
    ):
        listed = (await (await world.api.send("GET", path, key=ACME)).json())[field]
        assert [row["id"] for row in listed] == [world.ids[one]]
    assert (await (await world.api.send("GET", f"/v1/sessions/{world.session['id']}", key=ACME)).json())[
        "state"
    ] == "ready"


@pytest.mark.parametrize("who", STRANGERS)
async def test_lists_and_what_is_made_have_nothing_of_another_tenant(world: World, who: str) -> None:
    """No id, no name, no word of it, also where the same subject or name is asked for."""
    for route in (route for route in ALL_ROUTES if route.operation in table.OWN):
        body = table.OWN[route.operation]
        sent = {} if body is None else {"json": body}
        answer = await world.api.send(route.method, route.path, key=STRANGERS[who], **sent)
        found = await answer.text(errors="replace")
        echoed = {f"{table.MARK}-key", f"{table.MARK}-user"}  # what the stranger sent themselves
        for word in echoed:
            found = found.replace(word, "")
        assert table.MARK not in found, route.operation
        assert [name for name, id_ in world.ids.items() if id_ in found] == [], route.operation


async def test_what_is_everyones_is_the_operators(world: World) -> None:
    """Another tenant is refused with the same words whatever it names."""
    for route in (route for route in ALL_ROUTES if route.operation in table.EVERYONES):
        for worker in ("w1", "nobody"):
            path = route.path.replace("{worker_id}", worker)
            assert await world.api.problem(route.method, path, key=OTHER) == (403, "authorization_failed")


async def _closed(world: World, path: str, *first: dict[str, Any], token: str = "") -> tuple[Any, ...]:
    """Return what a socket says until it is closed."""
    protocols = ("voicebackend.v1", f"token.{token}") if token else ("voicebackend.v1",)
    async with world.api.http.ws_connect(world.api.serving.url + path, protocols=protocols) as socket:
        for message in first:
            await socket.send_json(message)
        return [message.data async for message in socket], socket.close_code


async def test_tokens_open_no_other_tenants_sockets(world: World) -> None:
    """A good token of another session: its session, and one that never was, are refused alike; so is none."""
    api, acme = world.api, world.session
    mine = await (
        await api.send(
            "POST", "/v1/sessions", key=OTHER, json={"user_id": "u", "transport": "websocket", "agent": "demo"}
        )
    ).json()
    start = {"type": "start", "sample_rate": 16000}
    for token in (mine["token"], "nonsense"):
        by_protocol = [
            await _closed(world, f"/v1/sessions/{id_}/media", start, token=token)
            for id_ in (acme["id"], table.never("session_id"))
        ]
        auth = {"type": "auth", "token": token}
        by_message = [
            await _closed(world, f"/v1/sessions/{id_}/media", auth, start)
            for id_ in (acme["id"], table.never("session_id"))
        ]
        resumed = [
            await _closed(world, f"/v1/sessions/{id_}/media", {"type": "auth", "resume": token}, start)
            for id_ in (acme["id"], table.never("session_id"))
        ]
        for theirs, nobodys in (by_protocol, by_message, resumed):
            assert theirs == nobodys
            assert theirs[1] == 4401
    media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    about = {"streamSid": "MZ1", "callSid": "CA1", "customParameters": {"token": mine["token"]}, "mediaFormat": media}
    begin = {"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": about}
    connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    theirs, nobodys = [
        await _closed(world, f"/v1/telephony/twilio/stream/{id_}", connected, begin)
        for id_ in (acme["id"], table.never("session_id"))
    ]
    assert theirs == nobodys
    assert theirs[1] not in {None, 1000}


async def test_a_link_opens_nothing_but_its_record(world: World) -> None:
    """A good token, for another record and for one that never was: refused alike."""
    token = parse_qs(urlsplit(world.link).query)["token"][0]
    good = await world.api.send("GET", f"/v1/links/{world.ids['record_id']}?token={token}", key=None)
    assert good.status == 200
    seen = []
    for id_, used in (
        (world.ids["record_id"], token[:-4] + "AAAA"),
        (table.never("record_id"), token),
        (table.never("record_id"), token[:-4] + "AAAA"),
    ):
        answer = await world.api.send("GET", f"/v1/links/{id_}?token={used}", key=None)
        seen.append(table.told(answer.status, answer.headers, await answer.text(errors="replace"), id_))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == 403


async def test_a_carriers_word_counts_for_its_own_tenants_calls(world: World) -> None:
    """Signed by another tenant's trunk, a session and a call of acme's are as ones that never were."""
    for route in (route for route in ALL_ROUTES if route.operation in table.BY_SIGNATURE - {"telephony.call"}):
        name = "session_id" if "{session_id}" in route.path else "call_id"
        seen = []
        for id_ in (world.ids[name], table.never(name)):
            path = route.path.replace("{trunk}", "other-twilio").replace(f"{{{name}}}", id_) + "?attempt=1"
            form = {"CallSid": CARRIERS_ID, "CallStatus": "in-progress", "DialCallStatus": "busy", "From": NUMBER}
            signed = twilio_form(PUBLIC_URL + path, {**form, "To": NUMBER})
            answer = await world.api.send("POST", path, key=None, data=signed.body, headers=dict(signed.headers))
            seen.append(table.told(answer.status, answer.headers, await answer.text(errors="replace"), id_))
        assert seen[0] == seen[1], route.operation
        assert seen[0][0] == 404, (route.operation, seen)
        wrong = route.path.replace("{trunk}", "acme-twilio").replace(f"{{{name}}}", world.ids[name]) + "?attempt=1"
        signed = twilio_form(PUBLIC_URL + wrong, {"CallSid": CARRIERS_ID})
        answer = await world.api.send("POST", wrong, key=None, data=signed.body, headers=dict(signed.headers))
        assert answer.status == 403, route.operation

"""The rest of the HTTP API: events, audio, providers, configuration, SIP, health, and its own description."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from openapi_spec_validator import validate
from redis.asyncio import Redis

from control.http.app import ALL_ROUTES
from voicebackend.settings import Deployment
from voicebackend.streams import Kind


def read_events(text: str) -> list[dict[str, str]]:
    """Return the server-sent events of a body as field mappings."""
    blocks = [block for block in text.split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_events_are_streamed_up_to_the_end(api: Any, worker: Any) -> None:
    """What was logged before and after one asks, each with its id, then the stream ends."""
    session = (await api.create())["id"]
    reading = asyncio.create_task(api.send("GET", f"/v1/sessions/{session}/events"))
    await worker.store.append_log(session, {"type": "transcript", "role": "user", "text": "hello"})
    await worker.end(session, "closed")
    answer = await asyncio.wait_for(reading, 5)
    found = read_events(await answer.text())
    assert answer.content_type == "text/event-stream"
    assert [event["event"] for event in found] == ["session", "session", "transcript", "session", "ended"]
    assert json.loads(found[2]["data"])["text"] == "hello"


async def test_events_resume_after_the_last_one_seen(api: Any, worker: Any) -> None:
    """Last-Event-ID leaves out what was had."""
    session = (await api.create())["id"]
    await worker.end(session, "closed")
    path = f"/v1/sessions/{session}/events"
    every = read_events(await (await api.send("GET", path)).text())
    rest = read_events(await (await api.send("GET", path, headers={"Last-Event-ID": every[1]["id"]})).text())
    assert rest == every[2:]


async def test_event_streams_are_limited_while_waiting_finds_room(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with Retry-After instead of a stream; a session that is created is waited for all the same."""
    monkeypatch.setattr("control.sessions.stream_limit.MAX_TENANT_STREAMS", 0)
    path = f"/v1/sessions/{(await api.create())['id']}/events"
    answer = await api.send("GET", path)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
    body = {"user_id": "u1", "transport": "websocket", "agent": "demo"}
    answer = await api.send("POST", "/v1/sessions", json=body, headers={"Prefer": "wait=5"})
    assert (answer.status, (await answer.json())["state"]) == (201, "ready")


async def test_workers_and_queues_are_listed_for_operators(api: Any, worker: Any, broker: Redis) -> None:
    """With their room, and what waits at the broker."""
    found = (await (await api.send("GET", "/v1/workers")).json())["workers"]
    assert [(it["id"], it["slots_total"], it["lanes"], it["health"]) for it in found] == [
        ("w1", 10, {"0": 0}, {"mock": "degraded"})
    ]
    await broker.lpush(f"{worker.deployment.prefix}:agents", "a task")
    answer = await (await api.send("GET", "/v1/queues")).json()
    assert {it["name"]: it["waiting"] for it in answer["queues"]}["agents"] == 1
    assert answer["dead_letters"] == 0


async def test_a_worker_is_asked_to_leave_by_what_it_announces_itself_in(api: Any, worker: Any, redis: Redis) -> None:
    """One that is not there is a 404, and nothing is written for it."""
    assert (await api.send("POST", "/v1/workers/w1/drain")).status == 202
    assert await redis.hget(worker.keys.worker("w1"), "relieve") == b"1"
    assert (await api.send("POST", "/v1/workers/w2/drain")).status == 404
    assert await redis.exists(worker.keys.worker("w2")) == 0


async def test_a_made_up_event_id_is_refused(api: Any) -> None:
    """It names no event."""
    session = (await api.create())["id"]
    found = await api.problem("GET", f"/v1/sessions/{session}/events", headers={"Last-Event-ID": "x"})
    assert found == (400, "invalid_config")


async def test_audio_of_the_application_goes_to_the_lane_at_16_khz(api: Any, worker: Any, until: Any) -> None:
    """Half a second at 48 kHz becomes half a second at 16 kHz, in order, in frames that fit."""
    session = (await api.create())["id"]
    answer = await api.send("POST", f"/v1/sessions/{session}/audio?sample_rate=48000", data=bytes(48_000))
    assert (answer.status, (await answer.json())["seconds"]) == (202, 0.5)
    await until(lambda: len(worker.heard(session, Kind.PLAY)) > 0)
    assert sum(len(frame.payload) for frame in worker.heard(session, Kind.PLAY)) == 16_000


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ("", b"123", (415, "invalid_format")),
        ("", b"", (415, "invalid_format")),
        ("?sample_rate=0", b"12", (400, "invalid_config")),
        ("", bytes(1_000_002), (413, "invalid_format")),
    ],
    ids=["odd", "empty", "rate 0", "too large"],
)
async def test_audio_that_is_none_is_refused(
    api: Any, worker: Any, query: str, body: bytes, expected: tuple[int, str]
) -> None:
    """Nothing of it reaches the lane."""
    session = (await api.create())["id"]
    assert await api.problem("POST", f"/v1/sessions/{session}/audio{query}", data=body) == expected
    assert worker.heard(session, Kind.PLAY) == []


async def test_providers_are_listed_with_what_they_can(api: Any) -> None:
    """Names, capabilities, settings, health, workers and room; engines, too, and what is not installed."""
    found = await (await api.send("GET", "/v1/providers")).json()
    listed = found["providers"]
    room = [(one["name"], one["workers"], one["slots_free"]) for one in listed]
    assert room == [("mock", 1, 10), ("remote", 1, 10), ("rooms", 1, 10)]
    assert listed[0]["capabilities"]["transports"] == ["telephony", "websocket"]
    health = [(one["health"], bool(one["config_schema"])) for one in listed]
    assert health == [("degraded", True), ("unknown", True), ("unknown", True)]
    [ear] = found["engines"]
    assert (ear["role"], ear["name"], ear["installed"], ear["install"]) == ("stt", "ear", False, "pip install ear")


async def test_a_changed_configuration_reaches_the_other_process(start: Any, until: Any) -> None:
    """PUT here is seen there within moments; secrets are masked and a mask keeps them."""
    here = await start(provider_config={"api_key": "hush", "room": "a"})
    there = await start()
    settings = {"api_key": "********", "room": "a"}
    answer = await here.send("PUT", "/v1/config", json={"max_retries": 7, "provider_config": settings})
    changed = await answer.json()
    assert changed["config"]["provider_config"] == settings
    assert "hush" not in json.dumps(changed)

    async def arrived() -> bool:
        seen = await (await there.send("GET", "/v1/config")).json()
        return bool(seen["config"]["max_retries"] == 7 and seen["version"] == changed["version"])

    await until(arrived)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"max_retries": 99}, "max_retries"),
        ({"colour": 1}, "colour"),
        ({"provider": ""}, "provider"),
        ({"auth_hook": "os:system"}, "auth_hook"),
        ({"custom_processors": ["os:system"]}, "custom_processors"),
    ],
)
async def test_a_wrong_configuration_changes_nothing(api: Any, redis: Redis, change: Any, field: str) -> None:
    """The field is named; what loads code cannot be set from afar at all."""
    answer = await api.send("PUT", "/v1/config", json=change)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"], problem["details"]["field"]) == (400, "invalid_config", field)
    assert await redis.exists(Deployment().keys.config()) == 0


@pytest.mark.parametrize(
    ("change", "expected", "field"),
    [
        ({"provider": "nobody"}, (404, "provider_not_found"), None),
        ({"provider_config": {"romo": "a"}}, (400, "invalid_config"), "provider_config.romo"),
        ({"provider": "remote", "provider_config": {"x": 1}}, (400, "invalid_config"), "provider_config.x"),
    ],
)
async def test_a_configuration_that_no_worker_can_run_changes_nothing(
    api: Any, redis: Redis, change: Any, expected: tuple[int, str], field: str | None
) -> None:
    """Workers announce their providers and what these can be told."""
    answer = await api.send("PUT", "/v1/config", json=change)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"], problem["details"].get("field")) == (*expected, field)
    assert await redis.exists(Deployment().keys.config()) == 0


async def test_a_configuration_that_a_worker_can_run_is_taken(api: Any) -> None:
    """Another provider with settings of its own."""
    change = {"provider": "remote", "provider_config": {"room": "a"}}
    answer = await api.send("PUT", "/v1/config", json=change)
    assert answer.status == 200
    config = (await answer.json())["config"]
    assert {name: config[name] for name in change} == change


class Exchange:
    """A telephony hook."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        if phone_number == "+13":
            raise RuntimeError
        return {"+1": "remote"}.get(phone_number, "nobody")

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        if message == b"CRASH":
            raise RuntimeError
        return b"" if message == b"ACK" else b"200 " + message

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        return {"not JSON": {"carrier": object()}, "no text": {1: "one"}}.get(
            call_id, {"carrier": "c1", "caller": "from the carrier"}
        )


async def test_the_telephony_hook_routes_calls_and_adds_what_it_knows(start: Any) -> None:
    """It names the provider; what the request says of the call stays."""
    api = await start(telephony_hook=Exchange())
    call = {"transport": "telephony", "metadata": {"phone_number": "+13", "call_id": "c", "caller": "Ada"}}
    view = await (await api.send("GET", f"/v1/sessions/{(await api.create(**call))['id']}")).json()
    assert view["provider"] == "mock"
    assert view["metadata"] == {"phone_number": "+13", "call_id": "c", "caller": "Ada", "carrier": "c1"}
    body = {"user_id": "u", **call, "agent": "a", "metadata": {"phone_number": "+99"}}
    assert await api.problem("POST", "/v1/sessions", json=body) == (404, "provider_not_found")
    body["metadata"] = {"phone_number": "+1"}
    assert await api.problem("POST", "/v1/sessions", json=body) == (400, "invalid_config")  # remote cannot telephony


@pytest.mark.parametrize("call_id", ["not JSON", "no text"])
async def test_a_call_goes_on_without_metadata_that_is_not_json(start: Any, call_id: str) -> None:
    """What the request says of it stays."""
    api = await start(telephony_hook=Exchange())
    created = await api.create(transport="telephony", metadata={"call_id": call_id, "caller": "Ada"})
    assert created["metadata"] == {"call_id": call_id, "caller": "Ada"}


async def test_sip_messages_are_answered_by_the_hook(start: Any, api: Any) -> None:
    """Bytes in, bytes out; a hook that fails is a gateway error; without one there is no SIP."""
    hooked = await start(telephony_hook=Exchange())
    answer = await hooked.send("POST", "/v1/telephony/sip", data=b"INVITE")
    assert (answer.status, await answer.text()) == (200, "200 INVITE")
    assert (await hooked.send("POST", "/v1/telephony/sip", data=b"ACK")).status == 204
    assert await hooked.problem("POST", "/v1/telephony/sip", data=b"CRASH") == (502, "connection_failed")
    assert await hooked.problem("POST", "/v1/telephony/sip", data=bytes(70_000)) == (413, "invalid_format")
    assert await api.problem("POST", "/v1/telephony/sip", data=b"INVITE") == (400, "invalid_config")


@pytest.mark.parametrize(
    ("announced", "status", "health"),
    [
        ({"slots_free": 5}, 200, "healthy"),
        ({"slots_free": 1}, 200, "degraded"),
        ({"slots_total": 0, "slots_free": 0}, 200, "healthy"),
        ({"draining": True}, 503, "unhealthy"),
    ],
)
async def test_readiness_says_how_much_room_there_is(
    api: Any, worker: Any, announced: dict[str, Any], status: int, health: str
) -> None:
    """Degraded from nine tenths; unhealthy without a worker that takes sessions."""
    await worker.announce(**announced)
    answer = await api.send("GET", "/readyz", key=None)
    assert (answer.status, (await answer.json())["status"]) == (status, health)
    assert (await api.send("GET", "/healthz", key=None)).status == 200


async def test_the_description_is_valid_and_complete(api: Any) -> None:
    """OpenAPI 3.1 that names every route, its errors included."""
    document = await (await api.send("GET", "/openapi.json", key=None)).json()
    validate(document)
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ALL_ROUTES}
    answers = document["paths"]["/v1/sessions"]["post"]["responses"]
    assert {"201", "400", "401", "403", "404", "413", "415", "429", "500", "503"} <= set(answers)
    answers = document["paths"]["/v1/records/{record_id}"]["get"]["responses"]
    assert {"application/json", "audio/flac", "text/vtt"} <= set(answers["200"]["content"])
    assert {"206", "416"} <= set(answers)


async def test_unknown_paths_and_methods_are_problems_too(api: Any) -> None:
    """404 and 405 have a code, and 405 says what is allowed."""
    assert await api.problem("GET", "/v2/nothing") == (404, "invalid_config")
    answer = await api.send("PUT", "/v1/sessions")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,POST")

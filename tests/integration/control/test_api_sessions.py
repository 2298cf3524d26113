"""The sessions of the HTTP API: created, listed, changed, closed; and every way of asking wrongly."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from task_harness import fill_lane

from voicebackend.streams import Kind

LANE = 0
GOOD = {"user_id": "u1", "transport": "websocket", "agent": "demo"}


async def test_a_created_session_is_recorded_started_and_readable(api: Any, worker: Any, until: Any) -> None:
    """201 with a place, a token and where to connect; its lane is told without a task; the record can be read."""
    answer = await api.send("POST", "/v1/sessions", json={**GOOD, "metadata": {"plan": "gold"}})
    created = await answer.json()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/sessions/{created['id']}"
    assert created["connect_url"] == f"{api.serving.url.replace('http', 'ws')}/v1/sessions/{created['id']}/media"
    assert created["token_expires_in"] == 60
    await until(lambda: bool(worker.heard(created["id"], Kind.START)))
    assert worker.published == []
    view = await (await api.send("GET", f"/v1/sessions/{created['id']}")).json()
    assert (view["metadata"], view["provider"]) == ({"plan": "gold"}, "mock")


async def test_prefer_wait_answers_when_the_session_is_ready(api: Any, worker: Any, until: Any) -> None:
    """The answer comes with state ready although placing took a while."""
    worker.places = False
    headers = {"Prefer": "respond-async, wait=5"}
    asking = asyncio.create_task(api.send("POST", "/v1/sessions", json=GOOD, headers=headers))
    await until(lambda: bool(worker.frames))
    await worker.place(worker.frames[0].session)
    answer = await asking
    assert (answer.status, (await answer.json())["state"]) == (201, "ready")
    assert answer.headers["Preference-Applied"] == "wait=5"


async def test_prefer_wait_answers_with_the_state_when_time_is_up(api: Any, worker: Any) -> None:
    """A session that is not ready in time is created all the same."""
    worker.places = False
    answer = await api.send("POST", "/v1/sessions", json=GOOD, headers={"Prefer": "wait=0"})
    assert (answer.status, (await answer.json())["state"]) == (201, "starting")


@pytest.mark.parametrize("reports", [True, False], ids=["in the record", "in the log alone"])
async def test_prefer_wait_turns_a_failure_into_its_problem(api: Any, worker: Any, reports: bool) -> None:
    """A session that found no slot is the answer that the slots are taken, also before the record says so."""
    worker.fails_with, worker.reports = "session_limit_exceeded", reports
    answer = await api.send("POST", "/v1/sessions", json=GOOD, headers={"Prefer": "wait=5"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def _kept(worker: Any) -> set[bytes]:
    """Return the keys in Redis, without how often was asked, which is there for some milliseconds."""
    asked = worker.keys.request_rate("", "", "").rpartition(":")[0].encode()
    return {key for key in await worker.redis.keys() if not key.startswith(asked)}


@pytest.mark.parametrize(
    ("body", "expected", "field"),
    [
        pytest.param({"transport": "websocket"}, (400, "invalid_config"), "user_id", id="missing field"),
        pytest.param({**GOOD, "user_id": 5}, (400, "invalid_config"), "user_id", id="wrong type"),
        pytest.param({**GOOD, "user_id": "a b"}, (400, "invalid_config"), "user_id", id="odd characters"),
        pytest.param({**GOOD, "colour": "red"}, (400, "invalid_config"), "colour", id="unknown field"),
        pytest.param({**GOOD, "transport": "pigeon"}, (400, "invalid_config"), "transport", id="unknown transport"),
        pytest.param({**GOOD, "transport": "webrtc"}, (400, "invalid_config"), "transport", id="cannot webrtc"),
        pytest.param({**GOOD, "metadata": {"a": "x" * 17_000}}, (400, "invalid_config"), "metadata", id="metadata"),
        pytest.param({**GOOD, "provider": "nobody"}, (404, "provider_not_found"), None, id="unknown provider"),
        pytest.param({**GOOD, "agent": None}, (400, "invalid_config"), "agent", id="no agent"),
        pytest.param(
            {**GOOD, "provider": "remote"}, (400, "invalid_config"), "agent", id="agent for a remote pipeline"
        ),
        pytest.param(
            {"user_id": "u", "transport": "websocket", "provider": "remote", "pipeline_type": "s2s"},
            *((400, "invalid_config"), "pipeline_type"),
            id="pipeline",
        ),
        pytest.param([GOOD], (400, "invalid_config"), "body", id="no object"),
    ],
)
async def test_a_bad_request_is_refused_and_leaves_nothing(
    api: Any, worker: Any, body: Any, expected: tuple[int, str], field: str | None
) -> None:
    """Each mistake has its code and names its field; nothing was written, published or sent."""
    before = await _kept(worker)
    answer = await api.send("POST", "/v1/sessions", json=body)
    problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == expected
    assert problem["details"].get("field") == field
    assert await _kept(worker) == before
    assert worker.published == worker.frames == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"data": b"{", "headers": {"Content-Type": "application/json"}}, (400, "invalid_config")),
        pytest.param({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, (415, "invalid_format")),
        pytest.param({"data": b"[" * 60_000, "headers": {"Content-Type": "application/json"}}, (400, "invalid_config")),
        pytest.param({"json": {"user_id": "x" * 70_000}}, (413, "invalid_format")),
    ],
    ids=["not JSON", "another type", "deep nesting", "too large"],
)
async def test_a_body_that_is_no_small_json_is_refused(
    api: Any, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Bodies are JSON of at most 64 KiB."""
    assert await api.problem("POST", "/v1/sessions", **options) == expected


async def test_no_free_slot_says_when_to_ask_again(api: Any, worker: Any) -> None:
    """503 with Retry-After, and no record."""
    await worker.announce(slots_free=1, slots_total=1)
    await fill_lane(worker.redis, worker.keys, LANE, "someone")
    answer = await api.send("POST", "/v1/sessions", json=GOOD)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert (await (await api.send("GET", "/v1/sessions")).json())["sessions"] == []


async def test_unlimited_workers_always_have_room(api: Any, worker: Any) -> None:
    """Slots total 0 means no limit."""
    await worker.announce(slots_total=0, slots_free=0)
    assert (await api.create())["state"] == "starting"


async def test_a_draining_worker_takes_no_session(api: Any, worker: Any) -> None:
    """Its free slots do not count."""
    await worker.announce(draining=True)
    assert await api.problem("POST", "/v1/sessions", json=GOOD) == (503, "session_limit_exceeded")


async def test_an_agent_for_a_remote_pipeline_is_ignored_if_allowed(start: Any) -> None:
    """allow_remote_agent drops the agent."""
    api = await start(allow_remote_agent=True)
    assert (await api.create(provider="remote"))["agent"] is None


@pytest.mark.parametrize("agent", ["echo", None])
async def test_speech_to_speech_is_had_with_and_without_an_agent(api: Any, agent: str | None) -> None:
    """Where the pipeline is ours, the agent is kept."""
    assert (await api.create(pipeline_type="s2s", agent=agent))["agent"] == agent


async def test_sessions_are_listed_page_by_page(api: Any) -> None:
    """The newest first, each once."""
    created = [(await api.create())["id"] for _ in range(5)]
    first = await (await api.send("GET", "/v1/sessions?limit=3")).json()
    rest = await (await api.send("GET", f"/v1/sessions?limit=3&cursor={first['cursor']}")).json()
    assert [view["id"] for view in first["sessions"] + rest["sessions"]] == created[::-1]
    assert rest["cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=zzz", "limit=²"])
async def test_a_bad_page_is_refused(api: Any, query: str) -> None:
    """Limits are 1 to 100, cursors come from the page before."""
    assert await api.problem("GET", f"/v1/sessions?{query}") == (400, "invalid_config")


async def test_another_tenants_session_looks_missing(api: Any) -> None:
    """Every route of it answers 404, and it is in no list."""
    path = f"/v1/sessions/{(await api.create())['id']}"
    other = {"key": "other-key-0123456789"}
    for method, where in [("GET", ""), ("DELETE", ""), ("POST", "/token"), ("GET", "/events"), ("POST", "/audio")]:
        assert await api.problem(method, path + where, **other) == (404, "session_not_found")
    assert await api.problem("PATCH", path, json={"agent": "x"}, **other) == (404, "session_not_found")
    assert (await (await api.send("GET", "/v1/sessions", **other)).json())["sessions"] == []


async def test_metadata_and_agent_can_be_changed_while_it_runs(api: Any, worker: Any) -> None:
    """PATCH changes what is given; after the end it is a conflict."""
    path = f"/v1/sessions/{(await api.create(metadata={'a': 1}))['id']}"
    view = await (await api.send("PATCH", path, json={"agent": "sales"})).json()
    assert (view["agent"], view["metadata"]) == ("sales", {"a": 1})
    view = await (await api.send("PATCH", path, json={"metadata": {"b": 2}})).json()
    assert (view["agent"], view["metadata"]) == ("sales", {"b": 2})
    assert await api.problem("PATCH", path, json={"state": "ended"}) == (400, "invalid_config")
    await worker.end(path.rpartition("/")[2], "closed")
    assert await api.problem("PATCH", path, json={"agent": "late"}) == (409, "session_not_active")


async def test_closing_is_accepted_once_and_fine_ever_after(api: Any, worker: Any) -> None:
    """202 while it runs, 204 when it is over."""
    path = f"/v1/sessions/{(await api.create())['id']}"
    assert (await api.send("DELETE", path)).status == 202
    assert worker.published[-1][0] == "sessions.close"
    assert (await api.send("DELETE", path)).status == 204
    view = await (await api.send("GET", path)).json()
    assert (view["state"], view["reason"], view["persistence_status"]) == ("ended", "closed", "completed")


async def test_a_token_is_given_out_until_the_end(api: Any, worker: Any) -> None:
    """201 with a fresh token; after the end a conflict."""
    created = await api.create()
    fresh = await (await api.send("POST", f"/v1/sessions/{created['id']}/token")).json()
    assert fresh["token"] != created["token"]
    await worker.end(created["id"], "closed")
    assert await api.problem("POST", f"/v1/sessions/{created['id']}/token") == (409, "session_not_active")


async def test_a_session_is_created_though_no_task_can_be_published(
    api: Any, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing on the way to ready needs the broker."""
    monkeypatch.setattr(worker, "publish", None)
    answer = await api.send("POST", "/v1/sessions", json=GOOD, headers={"Prefer": "wait=5"})
    assert (answer.status, (await answer.json())["state"]) == (201, "ready")


async def test_a_start_that_finds_no_lane_is_left_to_the_reconciler(api: Any, worker: Any) -> None:
    """The session is created, has its slot, and is looked at within seconds."""
    await worker.audio.delete(worker.keys.lane(LANE))
    answer = await api.send("POST", "/v1/sessions", json=GOOD)
    created = await answer.json()
    assert (answer.status, created["state"]) == (201, "starting")
    look_at = await worker.redis.zscore(worker.keys.live_sessions(), created["id"])
    assert look_at < time.time() + 5
    assert await worker.redis.sismember(worker.keys.lane_sessions(LANE), created["id"])

"""``/v1/webhooks`` and ``/v1/sessions/{id}/transcript``: a tenant's own, with a secret that is shown once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from webhook_receiver import receiving

from control.outbox.deliveries import Deliveries
from control.outbox.delivery import Answer, Outcome
from control.outbox.sender import send
from voicebackend.settings import Deployment

KEY, OTHER = "test-key-0123456789", "other-key-0123456789"
URL = "https://hooks.example.com/hook"


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    """Give one with two tenants."""
    return replace(deployment, api_keys={KEY: "default", OTHER: "other"})


async def _add(api: Any, **body: Any) -> dict[str, Any]:
    answer = await api.send("POST", "/v1/webhooks", json={"url": URL, **body})
    assert answer.status == 201, await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(await answer.json())


async def test_an_endpoint_is_added_listed_and_removed(api: Any) -> None:
    """Its secret is in the first answer, and in no other."""
    made = await _add(api, events=["session.ended", "session.ended"])
    assert (made["url"], made["events"]) == (URL, ["session.ended"])
    answer = await api.send("GET", "/v1/webhooks")
    assert made["secret"] not in await answer.text()
    assert [one["id"] for one in (await answer.json())["webhooks"]] == [made["id"]]
    answer = await api.send("POST", f"/v1/webhooks/{made['id']}/secret")
    assert answer.headers["Cache-Control"] == "no-store"
    rotated = await answer.json()
    assert (rotated["id"], rotated["secret"] == made["secret"]) == (made["id"], False)
    assert (await api.send("DELETE", f"/v1/webhooks/{made['id']}")).status == 204
    assert await api.problem("DELETE", f"/v1/webhooks/{made['id']}") == (404, "session_not_found")


async def test_another_tenants_endpoints_look_as_if_they_were_not_there(api: Any) -> None:
    """In every route."""
    made = await _add(api)
    assert (await (await api.send("GET", "/v1/webhooks", key=OTHER)).json()) == {"webhooks": []}
    for method, path in (("DELETE", made["id"]), ("POST", f"{made['id']}/secret"), ("POST", "undelivered/abc")):
        assert await api.problem(method, f"/v1/webhooks/{path}", key=OTHER) == (404, "session_not_found")
    assert (await api.send("GET", "/v1/webhooks", key=None)).status == 401


@pytest.mark.parametrize(
    "body",
    [
        *(
            {"url": url}
            for url in ("http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]:6379/", "x", "", 1)
        ),
        *({"url": URL, "events": events} for events in (["session.exploded"], "session.ended", None)),
        *({}, {"url": URL, "secret": "mine"}, {"url": "https://example.com/" + "a" * 2048}),
    ],
)
async def test_what_may_not_be_asked_is_refused(api: Any, body: dict[str, Any]) -> None:
    """Before anything is written."""
    assert await api.problem("POST", "/v1/webhooks", json=body) == (400, "invalid_config")
    assert (await (await api.send("GET", "/v1/webhooks")).json()) == {"webhooks": []}


async def test_a_deployment_for_development_may_ask_its_own_network(
    start: Callable[..., Awaitable[Any]], deployment: Deployment
) -> None:
    """Where its operator said so, never by a tenant's word."""
    api = await start(deploy=replace(deployment, private_webhooks=True))
    assert (await _add(api, url="http://127.0.0.1:5000/webhooks"))["url"] == "http://127.0.0.1:5000/webhooks"


async def test_what_could_not_be_told_is_listed_and_sent_again(
    start: Callable[..., Awaitable[Any]], deployment: Deployment, redis: Redis, worker: Any
) -> None:
    """With what was wrong; by the tenant whose it is."""
    api = await start(deploy=replace(deployment, private_webhooks=True))
    async with receiving(500) as receiver:
        made = await _add(api, url=receiver.url, events=["session.started"])
        receiver.secret = made["secret"]
        session = (await api.create())["id"]
        (delivery_id,) = [
            arguments["delivery_id"] for name, arguments in worker.published if name == "webhooks.deliver"
        ]
        deliveries = Deliveries(redis, deployment.keys)
        claimed = await deliveries.claim(delivery_id)
        assert claimed is not None
        answer = await send(claimed, receiver.url, [receiver.secret], private=True)
        assert answer == Answer(status=500, error="it answers 500")
        await deliveries.settle(claimed, answer, Outcome.GIVEN_UP, 0.0)
    (listed,) = (await (await api.send("GET", "/v1/webhooks/undelivered")).json())["deliveries"]
    expected = {"id": delivery_id, "webhook": made["id"], "session_id": session, "attempts": 1, "status": 500}
    assert listed.items() >= {**expected, "error": "it answers 500", "type": "session.started"}.items()
    assert (await (await api.send("GET", "/v1/webhooks/undelivered", key=OTHER)).json()) == {"deliveries": []}
    assert (await api.send("POST", f"/v1/webhooks/undelivered/{delivery_id}")).status == 202
    assert worker.published[-1] == ("webhooks.deliver", {"delivery_id": delivery_id})
    assert (await (await api.send("GET", "/v1/webhooks/undelivered")).json()) == {"deliveries": []}


async def test_a_transcript_is_read_while_a_session_runs_and_after_it(api: Any, worker: Any) -> None:
    """As far as it has come; by its own tenant."""
    session = (await api.create())["id"]
    path = f"/v1/sessions/{session}/transcript"
    assert (await (await api.send("GET", path)).json()) == {"session": session, "complete": False, "segments": []}
    said = {"type": "transcript", "role": "user", "text": "hello", "final": True, "turn": 1}
    await worker.store.append_log(session, {**said, "text": "hel", "final": False})
    await worker.store.append_log(session, said)
    await worker.end(session, "closed")
    told = await (await api.send("GET", path)).json()
    assert (told["complete"], [(one["role"], one["text"]) for one in told["segments"]]) == (True, [("user", "hello")])
    assert await api.problem("GET", path, key=OTHER) == (404, "session_not_found")

"""A deployment in which one tenant has one of everything that an id names."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tenant_table as table
import yaml
from redis.asyncio import Redis

from control.outbox.deliveries import Deliveries
from control.outbox.delivery import Answer, Delivery, Outcome
from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.policy import Rule
from control.sessions.store import SessionStore
from control.telephony.known_calls import KnownCalls
from voicebackend.settings import Deployment

ACME, OTHER, OPERATOR = "acme-key-0123456789abc", "other-key-0123456789", "test-key-0123456789"
NUMBER, CARRIERS_ID = "+12025550177", "CA" + "7" * 32
ALWAYS = [{"zone": "UTC", "from": "00:00", "until": "00:00"}]
OUTBOUND = {"caller_ids": ["+14155550100"], "consent": "required"}
TRUNKS = {
    "acme-line": {"carrier": "mock", "tenant": "acme", "outbound": OUTBOUND},
    "acme-twilio": {"carrier": "twilio", "tenant": "acme", "secret_env": "ACME_TWILIO"},
    "other-twilio": {"carrier": "twilio", "tenant": "other", "secret_env": "OTHER_TWILIO"},
}
PUBLIC_URL = "https://voice.example.com"


@dataclass
class World:
    """A deployment in which the tenant ``acme`` has one of everything."""

    api: Any
    session: dict[str, Any]
    ids: dict[str, str]
    """By the parameter of the path."""
    link: str


async def _made(api: Any, path: str, **body: Any) -> dict[str, Any]:
    answer = await api.send("POST", path, key=ACME, json=body)
    assert answer.status in {201, 202}, await answer.text()
    return dict(await answer.json())


async def _recorded(deploy: Deployment, redis: Redis, record: Any) -> str:
    """Keep a transcript of acme's."""
    assert deploy.retention
    cabinet = Cabinet.open(deploy.retention, redis, deploy.keys, deploy.records_key)
    entry = cabinet.entry(record, DataClass.TRANSCRIPT, "transcript.json", Rule("transcripts", 86_400.0))
    assert await cabinet.write(entry, json.dumps({"mark": table.MARK}).encode())
    return entry.id


async def _undelivered(deploy: Deployment, redis: Redis, webhook: str) -> str:
    """Give a delivery of acme's up."""
    deliveries, now = Deliveries(redis, deploy.keys), time.time()
    about: dict[str, Any] = {
        "event": "e1",
        "type": "session.ended",
        "session": table.MARK,
        "body": "{}",
        "created_at": now,
    }
    delivery = Delivery(id="d" * 32, tenant="acme", endpoint=webhook, **about)
    assert await deliveries.put(delivery, told=True)
    claimed = await deliveries.claim(delivery.id)
    assert claimed
    assert await deliveries.settle(claimed, Answer(status=410), Outcome.GIVEN_UP, 0)
    return delivery.id


def _deployed(deployment: Deployment, folder: Path) -> Deployment:
    """Return a deployment with telephone lines and records."""
    telephony, retention = folder / "telephony.yaml", folder / "retention.yaml"
    routes = {"version": 1, "targets": {"desk": {"provider": "mock", "agent": "desk"}}, "routes": []}
    (folder / "routes.yaml").write_text(yaml.safe_dump(routes))
    telephony.write_text(yaml.safe_dump({"trunks": TRUNKS, "routes": "routes.yaml"}))
    policy = {"id": "transcripts", "class": "transcript", "ttl": "P1D"}
    kept = {"store": f"file://{folder}/records", "subject_key": "k" * 40, "policies": [policy]}
    retention.write_text(yaml.safe_dump({**kept, "spool": f"{folder}/spool"}))
    keys = {ACME: "acme", OTHER: "other", OPERATOR: "default"}
    return replace(
        deployment, telephony=telephony, retention=retention, api_keys=keys, public_url=PUBLIC_URL, records_key="r" * 40
    )


async def one_of_everything(
    start: Callable[..., Awaitable[Any]], deployment: Deployment, redis: Redis, folder: Path
) -> World:
    """Start control, and return what the tenant ``acme`` has there."""
    deploy = _deployed(deployment, folder)
    api = await start(deploy=deploy)
    wanted = {"transport": "websocket", "agent": "demo", "metadata": {"mark": table.MARK}}
    session = await _made(api, "/v1/sessions", user_id=f"{table.MARK}-user", **wanted)
    record = await SessionStore(redis, deploy.keys).get(session["id"], "acme")
    facts: dict[str, Any] = {
        "call_id": CARRIERS_ID,
        "phone_number": NUMBER,
        "carrier": "twilio",
        "trunk": "acme-twilio",
    }
    facts |= {"said": {"caller": table.MARK}, "outcome": "ended", "at": 1.5}
    await KnownCalls(redis, deploy.keys).note("acme", CARRIERS_ID, facts)
    consent = {"text_version": "1", "method": "web_form", "at": "2026-10-01T12:00:00+02:00", "proof": table.MARK}
    call = await _made(
        api, "/v1/calls", to="+12025550111", trunk="acme-line", windows=ALWAYS, consent=consent, agent="demo"
    )
    webhook = await _made(api, "/v1/webhooks", url="https://hooks.example.com/acme", events=[])
    stored = await _recorded(deploy, redis, record)
    assert (await api.send("PUT", f"/v1/do-not-call/{NUMBER}", key=ACME, json={"reason": table.MARK})).status == 200
    ids = {
        "session_id": session["id"],
        "record_id": stored,
        "hold_id": (await _made(api, "/v1/holds", reason=table.MARK, everything=True))["id"],
        "erasure_id": (await _made(api, "/v1/erasures", subject=f"{table.MARK}-nobody"))["id"],
        "call_id": call["id"],
        "number": NUMBER,
        "key_id": (await _made(api, "/v1/keys", name=table.MARK))["id"],
        "webhook_id": webhook["id"],
        "delivery_id": await _undelivered(deploy, redis, webhook["id"]),
    }
    link = (await _made(api, f"/v1/records/{stored}/link"))["url"]
    return World(api, session, ids, link)

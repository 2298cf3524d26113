"""Whom an erasure has to be passed on to: from the session's beginning to its receipts."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from record_office import USER, Office, office
from redis.asyncio import Redis

from control.records import sub_processors
from control.records.erasure import Erasures
from control.records.handlers import Handler
from control.records.seal import receipts
from control.records.sub_processors import KEEP_S, SubProcessors
from control.records.sweep import sweep
from control.sessions.store import SessionStore
from voicebackend.cli.retention import others_table
from voicebackend.retention import ErasureView
from voicebackend.session import Transport
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
OFFERS = {
    "stt": [{"name": "openai", "capabilities": {"remote": True}}],
    "tts": [{"name": "hibari", "capabilities": {"remote": False}}],
}


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that keeps records, and a worker that tells which engines work on its machine."""
    keys = deployment.keys
    await redis.set(keys.catalogue("c"), json.dumps(OFFERS), ex=60)
    told: dict[Any, Any] = {"id": "w", "slots_total": 1, "slots_free": 1, "lanes": "{}", "providers": "{}"}
    await redis.hset(keys.worker("w"), mapping={**told, "catalogue": "c", "seen_ms": round(time.time() * 1000)})
    await redis.expire(keys.worker("w"), 60)
    await redis.zadd(keys.workers(), {"w": time.time() + 60})
    await redis.expire(keys.workers(), 60)
    async with office(redis, deployment, tmp_path) as found:
        yield found


def call(here: Office, call_id: str, **changes: Any) -> Any:
    """Return the record of a finished telephone call."""
    return here.finished(
        provider="local",
        transport=Transport.TELEPHONY,
        agent="support",
        metadata={"carrier": "twilio", "call_id": call_id},
        handlers={"provider": ["local"], "stt": ["openai"], "tts": ["hibari", "gone"]},
        **changes,
    )


async def test_an_erasure_tells_whom_else_to_ask(here: Office, redis: Redis) -> None:
    """Who is outside, which calls and when; also once it is done, and in the receipts without the calls."""
    first, second = call(here, "CA1"), call(here, "CA2", s2s_provider="vapi", created_at=time.time() - 30)
    for record in (first, second):
        await here.keep(record)
    await here.keep(here.finished(user="somebody else", metadata={"carrier": "plivo"}, provider="elsewhere"))
    asked = await here.ask("POST", "/v1/erasures", json={"subject": USER})
    told = {one["name"]: one for one in asked["sub_processors"]}
    assert {name: (one["roles"], one["calls"]) for name, one in told.items()} == {
        "twilio": (["carrier"], ["CA1", "CA2"]),
        "openai": (["stt"], []),
        "gone": (["tts"], []),
        "vapi": (["s2s"], []),
        "support": (["agent"], []),
    }
    assert told["openai"]["first"] == pytest.approx(first.created_at, abs=0.01)
    assert told["openai"]["last"] == pytest.approx(second.created_at, abs=0.01)
    assert "calls" in told["twilio"]["ask"]
    keys = here.deployment.keys
    erasures = Erasures(redis, keys, SessionStore(redis, keys), here.cabinet)
    await erasures.go_on()
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 2
    assert await erasures.go_on() == 1
    done = await here.ask("GET", f"/v1/erasures/{asked['id']}")
    assert (done["state"], done["sub_processors"]) == ("done", asked["sub_processors"])
    lines = [one.line for one in await receipts(redis, keys, here.cabinet.objects)]
    assert json.loads(lines[0])["handled_by"][:2] == ["carrier:twilio", "provider:local"]
    assert not [line for line in lines if "CA1" in line or "CA2" in line or "support" in line]
    shown = others_table(ErasureView.model_validate(done))
    assert list(shown.columns[0].cells) == ["gone", "openai", "support", "twilio", "vapi"]
    assert list(shown.columns[2].cells) == ["", "", "", "CA1\nCA2", ""]
    assert KEEP_S - 60 < await redis.ttl(keys.erasure_handlers(asked["id"])) <= KEEP_S


async def test_an_export_tells_who_handled_each_session(here: Office) -> None:
    """By name and role."""
    await here.keep(call(here, "CA1"))
    archive = await here.ask("POST", "/v1/exports", json={"subject": USER})
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        [listed] = json.loads(found.read("index.json"))["objects"]
    assert listed["handled_by"] == ["carrier:twilio", "provider:local", "stt:openai", "tts:gone", "tts:hibari"]


async def test_of_a_person_with_very_many_calls_some_are_left_out(
    here: Office, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than to answer with all of them; each one's times are right all the same."""
    monkeypatch.setattr(sub_processors, "MAX_FOUND", 3)
    found = SubProcessors(redis, here.deployment.keys)
    await found.note("e", [(Handler("stt", "openai"), 50.0)])
    await found.note("e", [(Handler("carrier", "twilio", f"CA{number}"), 100.0 + number) for number in range(500)])
    await found.note("e", [(Handler("stt", "openai"), 20.0), (Handler("stt", "openai"), 80.0)])
    openai, twilio = await found.of("e")
    assert (openai.first, openai.last) == (20.0, 80.0)
    assert twilio.calls == ("CA0", "CA1")

"""Whoever asked for an erasure is shown the receipts of what it deleted; a number is one person however it is spelt."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from record_office import OTHER, USER, Office, office
from redis.asyncio import Redis

from control.records import erasure as erasing
from control.records.erasure import Erasures
from control.records.index import RECEIPTS_S
from control.records.receipt import Receipt
from control.records.seal import receipts, seal
from control.records.sweep import sweep
from control.sessions.store import SessionStore
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
NUMBER, NATIONAL = "+12025550111", "(202) 555-0111"


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that keeps records."""
    async with office(redis, deployment, tmp_path) as found:
        yield found


async def erased(here: Office, redis: Redis, subject: str = USER, **more: Any) -> str:
    """Have a person erased, to the end; return the erasure's id."""
    asked = await here.ask("POST", "/v1/erasures", json={"subject": subject, **more})
    erasures = Erasures(redis, here.deployment.keys, SessionStore(redis, here.deployment.keys), here.cabinet)
    await erasures.go_on()
    await sweep(here.cabinet.index, here.cabinet.objects)
    await erasures.go_on()
    return str(asked["id"])


async def shown(here: Office, id_: str, query: str = "") -> Any:
    """Return a page of receipts."""
    return await here.ask("GET", f"/v1/erasures/{id_}/receipts{query}")


async def test_an_erasure_shows_its_receipts(here: Office, redis: Redis) -> None:
    """Those of the chain, all of them and no others, page by page, also when they are sealed."""
    mine = [await here.keep() for _ in range(5)]
    await here.keep(here.finished(user="somebody else"))
    id_ = await erased(here, redis)
    chain = await receipts(redis, here.deployment.keys, here.cabinet.objects)
    assert await seal(redis, here.deployment.keys, here.cabinet.objects) == 5
    first = await shown(here, id_, "?limit=3")
    second = await shown(here, id_, f"?limit=3&cursor={first['cursor']}")
    assert (len(first["receipts"]), second.get("cursor")) == (3, None)
    found = [*first["receipts"], *second["receipts"]]
    assert [one["number"] for one in found] == [1, 2, 3, 4, 5]
    assert sorted(one["id"] for one in found) == sorted(entry.id for entry in mine)
    for one, receipt in zip(found, chain, strict=True):
        assert one.pop("hash") == receipt.hash
        assert Receipt.parse(json.dumps(one)) == receipt
    key = here.deployment.keys.records_erased_receipts("default", here.cabinet.subjects.of("default", USER))
    assert RECEIPTS_S - 60 < await redis.ttl(key) <= RECEIPTS_S


async def test_an_erasure_shows_its_receipts_though_our_clock_is_ahead_of_redis(
    here: Office, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts are listed by the clock of Redis; so is the request."""
    await here.keep()
    monkeypatch.setattr(erasing, "time", SimpleNamespace(time=lambda: time.time() + 3_600))
    assert len((await shown(here, await erased(here, redis)))["receipts"]) == 1


async def test_another_tenants_erasure_and_its_receipts_look_missing(here: Office, redis: Redis) -> None:
    """As one that never was does; a cursor of nobody's is told."""
    await here.keep()
    id_ = await erased(here, redis)
    path = f"/v1/erasures/{id_}/receipts"
    assert await here.status("GET", path, key=OTHER) == (404, "session_not_found")
    assert await here.status("GET", f"/v1/erasures/{'0' * 32}/receipts") == (404, "session_not_found")
    assert await here.status("GET", f"{path}?cursor=x") == (400, "invalid_config")


async def test_what_goes_for_another_reason_is_not_an_erasures(here: Office, redis: Redis) -> None:
    """Such as its time."""
    entry = await here.keep()
    await here.cabinet.index.sooner([entry.id], entry.reason)
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert (await shown(here, await erased(here, redis)))["receipts"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"subject": NUMBER},
        {"subject": "+1 (202) 555-0111"},
        {"subject": NATIONAL, "region": "US"},
        {"subject": "2025550111", "region": "US"},
    ],
    ids=lambda asked: asked["subject"],
)
async def test_a_person_is_erased_by_any_spelling_of_their_number(
    here: Office, redis: Redis, asked: dict[str, str]
) -> None:
    """However each carrier told it, and however the application names its users."""
    told = ({"caller": NUMBER}, {"caller": NATIONAL, "number": NUMBER}, {"caller": "sip:+1-202-555-0111@trunk"})
    for said in told:
        await here.keep(here.finished(user="anonymous", metadata={"said": said}))
    await here.keep(here.finished(user="+1 202 555 0111"))
    await here.keep(here.finished(user="2025550111"))
    with zipfile.ZipFile(io.BytesIO(await here.ask("POST", "/v1/exports", json=asked))) as archive:
        assert len(json.loads(archive.read("index.json"))["objects"]) == 4
    assert len((await shown(here, await erased(here, redis, **asked)))["receipts"]) == 4
    held = await here.ask("POST", "/v1/holds", json={"subject": "2025550111", "reason": "a user id"})
    assert held["held"] == 1


async def test_a_number_that_is_none_in_its_region_is_refused(here: Office) -> None:
    """Before anything is done."""
    asked = {"subject": "ada", "region": "US"}
    assert await here.status("POST", "/v1/erasures", json=asked) == (400, "invalid_config")
    assert await here.status("POST", "/v1/exports", json={**asked, "region": "us"}) == (400, "invalid_config")
    assert "retention.erase" not in here.tasks.published

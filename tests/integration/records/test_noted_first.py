"""What is asked of records is in the audit before it is done, and whoever asks waits for no walk through everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from record_office import Office, office
from redis.asyncio import Redis

from control.records import erasure as erasing
from control.records.audit import Audit
from control.records.erasure import Erasures
from control.records.index import Index
from control.sessions.store import SessionStore
from voicebackend.errors import ConnectionFailed
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
AWAY = (502, "connection_failed")


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process with records."""
    async with office(redis, deployment, tmp_path) as running:
        yield running


async def test_what_cannot_be_noted_is_not_done(here: Office, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is erased, nothing held and no hold lifted of which the audit would not know."""
    hold = await here.ask("POST", "/v1/holds", json={"everything": True, "reason": "case 12"})

    async def fails(*_: Any, **__: Any) -> None:
        raise ConnectionFailed("audit")

    monkeypatch.setattr(Audit, "note", fails)
    assert await here.status("POST", "/v1/erasures", json={"subject": "bob"}) == AWAY
    assert await here.status("POST", "/v1/holds", json={"everything": True, "reason": "case 13"}) == AWAY
    assert await here.status("DELETE", f"/v1/holds/{hold['id']}") == AWAY
    keys = here.deployment.keys
    assert not await redis.exists(
        keys.erasures_open(), keys.records_erased("default", here.cabinet.subjects.of("default", "bob"))
    )
    assert [one.id for one in await here.cabinet.holds.all("default")] == [hold["id"]]


async def test_only_a_hold_that_is_there_is_noted_as_lifted(here: Office) -> None:
    """Another is not found."""
    assert await here.status("DELETE", f"/v1/holds/{'0' * 16}") == (404, "session_not_found")
    assert (await here.ask("GET", "/v1/audit"))["entries"] == []


async def test_whoever_asks_for_an_erasure_waits_for_no_walk_through_everything(
    here: Office, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts from its first moment; what is left is looked at as it is carried out."""

    async def endless(*_: Any) -> AsyncIterator[list[str]]:
        while True:
            await asyncio.sleep(0)
            yield ["none"]

    monkeypatch.setattr(Index, "about", endless)
    monkeypatch.setattr(erasing, "ASK_S", 0.0)
    keys = here.deployment.keys
    erasures = Erasures(redis, keys, SessionStore(redis, keys), here.cabinet)
    async with asyncio.timeout(30):
        asked = await erasures.ask("default", "bob", by="ops")
    assert await redis.exists(keys.records_erased("default", asked.subject))

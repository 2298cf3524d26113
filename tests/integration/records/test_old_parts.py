"""A part of a recording that is older than withdrawals are noted: it leaves a receipt, or a hold keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from record_office import Office, office
from redis.asyncio import Redis

from control.gateway.recording import Recordings
from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.policy import Rule
from control.records.seal import receipts
from control.records.spools import append, begin
from control.records.sweep import sweep
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
MONTH_S = 30 * 86_400.0


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process with records."""
    async with office(redis, deployment, tmp_path) as running:
        yield running


async def stored(here: Office, redis: Redis, spool: Path) -> Entry:
    """Have an old part put into the store, if it may be; return what it was to be."""
    entry = here.cabinet.entry(
        here.finished(), DataClass.AUDIO, "recording-000000000.flac", Rule("recordings", 2 * MONTH_S)
    )
    entry = replace(entry, due=time.time() + MONTH_S, made=time.time() - MONTH_S)
    begin(spool, entry)
    append(spool, bytes(64_000), 0)
    recordings = Recordings(here.cabinet, spool.parent / "spools", lambda: None, redis, here.deployment.keys)
    try:
        await recordings._store(spool)
    finally:
        await recordings.aclose()
    assert not await asyncio.to_thread(spool.exists)
    return entry


async def told(here: Office, redis: Redis) -> list[tuple[str, str, bool]]:
    """Return of each receipt whose it is, why it went, and whether anything was stored."""
    chain = await receipts(redis, here.deployment.keys, here.cabinet.objects)
    return [(one.id, one.reason, one.size > 0) for one in chain]


async def test_a_part_that_is_too_old_goes_with_a_receipt(here: Office, redis: Redis, tmp_path: Path) -> None:
    """It never comes into the store."""
    entry = await stored(here, redis, tmp_path / "part.pcm")
    assert not await here.cabinet.objects.has(entry.path)
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert await told(here, redis) == [(entry.id, "unsure", False)]


async def test_a_part_that_is_too_old_and_held_is_kept_until_the_hold_is_lifted(
    here: Office, redis: Redis, tmp_path: Path
) -> None:
    """Then it goes at once."""
    hold, _ = await here.cabinet.holds.place("default", "*", reason="case 12", by="ops")
    entry = await stored(here, redis, tmp_path / "part.pcm")
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 0
    assert await here.cabinet.objects.has(entry.path)
    assert await here.cabinet.holds.lift("default", hold.id)
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert await told(here, redis) == [(entry.id, "unsure", True)]

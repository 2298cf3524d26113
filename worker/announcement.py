"""What a worker tells the world about itself, so that sessions find it: slots, lanes, providers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from providers.registry import PROVIDERS
from voicebackend.keys import Keys
from worker.load import Measured

ANNOUNCEMENT_TTL_S = 5
"""Seconds after which a worker that says nothing more is gone."""
_INDEX_TTL_S = 60


def describe_providers() -> dict[str, Any]:
    """Return capabilities and settings of each provider that can be loaded here."""
    return {
        found.name: {"capabilities": found.capabilities, "config_schema": found.config_schema}
        for found in PROVIDERS.describe()
        if found.unavailable is None
    }


async def announce(
    state: Redis,
    keys: Keys,
    worker: str,
    *,
    provider: str,
    providers: Mapping[str, Any],
    lanes: Mapping[int, int],
    loads: Mapping[int, int],
    slots_total: int,
    slots_free: int,
    draining: bool,
    settled: bool,
    config_version: int,
    load: Measured,
) -> None:
    """Write the announcement; ``lanes`` maps each lane to its cap, ``loads`` to its sessions.

    The time is that of ``state``: this machine's clock may be minutes off.
    """
    seconds, micros = await state.time()
    now = seconds + micros / 1e6
    fields: dict[Any, Any] = {
        "id": worker,
        "provider": provider,
        "providers": json.dumps(providers),
        "lanes": json.dumps({str(lane): cap for lane, cap in lanes.items()}),
        "loads": json.dumps({str(lane): sessions for lane, sessions in loads.items()}),
        "provider_names": json.dumps(sorted(providers)),
        "slots_total": slots_total,
        "slots_free": slots_free,
        "draining": int(draining),
        "settled": int(settled),
        "config_version": config_version,
        "seen_ms": round(now * 1000),
        "admitting": int(load.admitting),
        "lag_ms": round(load.lag_ms, 1),
        "cpu": round(load.cpu, 2),
        "rss_mb": round(load.rss_mb),
    }
    pipe = state.pipeline(transaction=False)
    pipe.hset(keys.worker(worker), mapping=fields)
    pipe.expire(keys.worker(worker), ANNOUNCEMENT_TTL_S)
    pipe.zadd(keys.workers(), {worker: now})
    pipe.zremrangebyscore(keys.workers(), "-inf", now - _INDEX_TTL_S)
    pipe.expire(keys.workers(), _INDEX_TTL_S)
    await pipe.execute()


async def withdraw(state: Redis, keys: Keys, worker: str) -> None:
    """Take the announcement back."""
    pipe = state.pipeline(transaction=False)
    pipe.delete(keys.worker(worker))
    pipe.zrem(keys.workers(), worker)
    await pipe.execute()

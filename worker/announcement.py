"""What a worker tells the world about itself, so that sessions find it: slots, lanes, providers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from providers.registry import PROVIDERS
from voicebackend.keys import Keys
from voicebackend.session import Health
from worker.load import Measured

ANNOUNCEMENT_TTL_S = 5
"""Seconds after which a worker that says nothing more is gone."""
_INDEX_TTL_S = 60


def describe_providers() -> dict[str, Any]:
    """Return the capabilities of each provider that can be loaded here; the catalogue has the rest."""
    return {
        found.name: {"capabilities": found.capabilities} for found in PROVIDERS.describe() if found.unavailable is None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is told with every sign of life."""

    id: str
    provider: str
    """The one that the configuration names."""
    providers: Mapping[str, Any]
    lanes: Mapping[int, int]
    """Of each lane its cap."""
    loads: Mapping[int, int]
    """Of each lane its sessions."""
    slots_total: int
    slots_free: int
    draining: bool
    settled: bool
    config_version: int
    load: Measured
    catalogue: str
    """Where everything that it could run is written down; empty until it is."""
    health: Mapping[str, Health]
    """By name, of what is in use."""
    checks: Mapping[str, int]
    """Of providers that are checked, by name: checks in a row that went well, below 0 that failed."""

    def fields(self, now: float) -> dict[Any, Any]:
        """Return the hash's fields; ``now`` in seconds since the epoch."""
        return {
            "id": self.id,
            "provider": self.provider,
            "providers": json.dumps(dict(self.providers)),
            "lanes": json.dumps({str(lane): cap for lane, cap in self.lanes.items()}),
            "loads": json.dumps({str(lane): sessions for lane, sessions in self.loads.items()}),
            "provider_names": json.dumps(sorted(self.providers)),
            "slots_total": self.slots_total,
            "slots_free": self.slots_free,
            "draining": int(self.draining),
            "settled": int(self.settled),
            "config_version": self.config_version,
            "seen_ms": round(now * 1000),
            "admitting": int(self.load.admitting),
            "lag_ms": round(self.load.lag_ms, 1),
            "cpu": round(self.load.cpu, 2),
            "rss_mb": round(self.load.rss_mb),
            "catalogue": self.catalogue,
            "health": json.dumps(dict(self.health)),
            "checks": json.dumps(dict(self.checks)),
        }


RELIEVE = "relieve"
"""The field of an announcement by which others ask the worker to hand its sessions over and end."""


async def announce(state: Redis, keys: Keys, told: Announcement) -> bool:
    """Write the announcement; tell whether somebody has asked the worker to leave.

    The time is that of ``state``: this machine's clock may be minutes off.
    """
    seconds, micros = await state.time()
    now = seconds + micros / 1e6
    pipe = state.pipeline(transaction=False)
    pipe.hset(keys.worker(told.id), mapping=told.fields(now))
    pipe.expire(keys.worker(told.id), ANNOUNCEMENT_TTL_S)
    pipe.zadd(keys.workers(), {told.id: now})
    pipe.zremrangebyscore(keys.workers(), "-inf", now - _INDEX_TTL_S)
    pipe.expire(keys.workers(), _INDEX_TTL_S)
    pipe.hget(keys.worker(told.id), RELIEVE)
    return bool((await pipe.execute())[-1])


async def withdraw(state: Redis, keys: Keys, worker: str) -> None:
    """Take the announcement back."""
    pipe = state.pipeline(transaction=False)
    pipe.delete(keys.worker(worker))
    pipe.zrem(keys.workers(), worker)
    await pipe.execute()

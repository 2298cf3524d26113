"""What streaming workers announce of themselves in Redis, read back: who runs, what it can do, what room it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidFormat
from voicebackend.keys import Keys
from voicebackend.session import Health

SEEN_S = 10.0
"""Seconds after which a worker that was not seen is not even looked up; its announcement expires sooner."""
ASKED_S = 5
"""Seconds that a request to leave waits for a worker to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One worker, as it announced itself within the last seconds."""

    id: str
    slots_total: int = 0
    """Sessions it can hold; 0 is unlimited."""
    slots_free: int = 0
    """Without meaning when unlimited."""
    lanes: Mapping[int, int] = field(default_factory=dict)
    """Sessions that fit in each lane it holds; 0 is unlimited."""
    loads: Mapping[int, int] = field(default_factory=dict)
    """Sessions that it runs in each lane."""
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, those it can run: ``{"capabilities": {...}}``."""
    catalogue: str = ""
    """Where everything that it could run is written down; empty until it is."""
    health: Mapping[str, Health] = field(default_factory=dict)
    """How the providers and engines that it has used are doing, by name."""
    checks: Mapping[str, int] = field(default_factory=dict)
    """Of providers that it was told to check, by name: checks in a row that went well, below 0 that failed."""
    provider: str = ""
    """The one that its configuration names."""
    draining: bool = False
    """It is about to leave."""
    admitting: bool = True
    """Else it has enough to do for now."""
    lag_ms: float = 0.0
    """How late its event loop wakes, p95 of the last seconds."""
    cpu: float = 0.0
    """Of one core, over the last seconds."""
    rss_mb: float = 0.0
    """Its resident memory, in 10^6 bytes."""
    config_version: int = 0
    seen_ms: int = 0
    """Milliseconds since the epoch."""

    @property
    def unlimited(self) -> bool:
        """Tell whether it takes any number of sessions."""
        return self.slots_total == 0

    @property
    def takes_sessions(self) -> bool:
        """Tell whether it takes new sessions."""
        return self.admitting and not self.draining

    @classmethod
    def from_fields(cls, raw: Mapping[bytes, bytes]) -> Self:
        """Read an announcement.

        Raises:
            InvalidFormat: a field is missing or does not parse.

        """
        try:
            return cls(
                id=raw[b"id"].decode(),
                slots_total=int(raw[b"slots_total"]),
                slots_free=int(raw[b"slots_free"]),
                lanes={int(lane): int(cap) for lane, cap in json.loads(raw[b"lanes"]).items()},
                providers=dict(json.loads(raw[b"providers"])),
                provider=raw.get(b"provider", b"").decode(),
                draining=raw.get(b"draining") == b"1",
                admitting=raw.get(b"admitting", b"1") == b"1",
                lag_ms=float(raw.get(b"lag_ms", b"0")),
                loads={int(lane): int(load) for lane, load in json.loads(raw.get(b"loads", b"{}")).items()},
                cpu=float(raw.get(b"cpu", b"0")),
                rss_mb=float(raw.get(b"rss_mb", b"0")),
                config_version=int(raw.get(b"config_version", b"0")),
                seen_ms=int(raw.get(b"seen_ms", b"0")),
                catalogue=raw.get(b"catalogue", b"").decode(),
                health={name: Health(told) for name, told in json.loads(raw.get(b"health", b"{}")).items()},
                checks={name: int(count) for name, count in json.loads(raw.get(b"checks", b"{}")).items()},
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InvalidFormat("worker", "not a worker's announcement") from error


async def announced_workers(redis: Redis, keys: Keys) -> list[WorkerInfo]:
    """Return the workers that are there now, by the clock of ``redis``; what does not parse is left out."""
    with redis_errors("workers"):
        seconds, _ = await redis.time()
        ids: Any = await redis.zrangebyscore(keys.workers(), seconds - SEEN_S, "+inf")
        pipe = redis.pipeline(transaction=False)
        for worker in ids:
            pipe.hgetall(keys.worker(worker.decode()))
        found = await pipe.execute() if ids else []
    return [worker for raw in found if raw and (worker := _read(raw)) is not None]


async def relieve_worker(redis: Redis, keys: Keys, worker: str) -> None:
    """Ask a worker that is there to hand its sessions over and end; it looks within half a second."""
    with redis_errors("workers"):
        pipe = redis.pipeline(transaction=True)
        pipe.hset(keys.worker(worker), "relieve", "1")
        pipe.expire(keys.worker(worker), ASKED_S)  # one that has just gone does not come back by this
        await pipe.execute()


def _read(raw: Mapping[bytes, bytes]) -> WorkerInfo | None:
    try:
        return WorkerInfo.from_fields(raw)
    except InvalidFormat:
        return None

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

SEEN_S = 10.0
"""Seconds after which a worker that was not seen is not even looked up; its announcement expires sooner."""


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
    providers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name: ``{"capabilities": {...}, "config_schema": {...}}``."""
    provider: str = ""
    """The one that its configuration names."""
    draining: bool = False
    """It is about to leave."""
    admitting: bool = True
    """Else it has enough to do for now."""
    lag_ms: float = 0.0
    """How late its event loop wakes, p95 of the last seconds."""
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
                config_version=int(raw.get(b"config_version", b"0")),
                seen_ms=int(raw.get(b"seen_ms", b"0")),
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


def _read(raw: Mapping[bytes, bytes]) -> WorkerInfo | None:
    try:
        return WorkerInfo.from_fields(raw)
    except InvalidFormat:
        return None

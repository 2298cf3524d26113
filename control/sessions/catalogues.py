"""What workers could run, as they have written it down: every provider and engine with its settings, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from control.sessions.workers import WorkerInfo
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

Offers = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By role (``provider`` among them) and name: ``{unavailable, install, capabilities, config_schema}``."""


async def read_catalogues(redis: Redis, keys: Keys, workers: Sequence[WorkerInfo]) -> dict[str, Offers]:
    """Return the catalogues of these workers by id; what is not there, or does not parse, is left out."""
    ids = sorted({worker.catalogue for worker in workers if worker.catalogue})
    if not ids:
        return {}
    with redis_errors("catalogues"):
        found: Any = await redis.mget([keys.catalogue(id_) for id_ in ids])
    read = {id_: _read(raw) for id_, raw in zip(ids, found, strict=True) if raw}
    return {id_: offers for id_, offers in read.items() if offers is not None}


def _read(raw: bytes) -> Offers | None:
    try:
        return {role: {one["name"]: one for one in listed} for role, listed in json.loads(raw).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

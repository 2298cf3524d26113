"""How far store and index are compared: kept in Redis, so that whoever goes on does so where the last one ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self, cast

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 30 * 86_400
"""Seconds for which a comparison that nobody goes on with is remembered."""
_OP = "records"


class Phase(StrEnum):
    """What a comparison goes through."""

    STORE = "store"
    """Object by object: which have no entry?"""
    DUE = "due"
    """Entry by entry: which have no object? Those that wait for their time,"""
    HELD = "held"
    """and those that a hold keeps."""
    DONE = "done"


NEXT: Mapping[Phase, Phase] = {
    Phase.STORE: Phase.DUE,
    Phase.DUE: Phase.HELD,
    Phase.HELD: Phase.DONE,
    Phase.DONE: Phase.STORE,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One way through everything."""

    began: float
    """Seconds since the epoch."""
    phase: Phase = Phase.STORE
    at: str = ""
    """The path behind which it goes on; in the index, Redis' cursor."""
    adopted: int = 0
    """Objects without an entry: they have one now, and go when their policy says, by the day of their path."""
    closed: int = 0
    """Entries without an object: they are due, and get a receipt."""
    unknown: int = 0
    """Objects whose path is none of ours: left alone."""

    def turned(self) -> Self:
        """Return it at the beginning of what comes next."""
        return replace(self, phase=NEXT[self.phase], at="")

    def counts(self) -> dict[str, int]:
        """Return what was found and mended."""
        return {"adopted": self.adopted, "closed": self.closed, "unknown": self.unknown}

    @classmethod
    async def read(cls, redis: Redis, keys: Keys) -> Self | None:
        """Return how far it is; None where there never was one."""
        with redis_errors(_OP):
            raw: Any = await cast("Any", redis.hgetall(keys.records_compared()))
        text = {name.decode(): value.decode() for name, value in raw.items()}
        if not text:
            return None
        counts = {name: int(text[name]) for name in ("adopted", "closed", "unknown")}
        return cls(float(text["began"]), Phase(text["phase"]), text["at"], **counts)

    async def write(self, redis: Redis, keys: Keys) -> None:
        """Note how far it is."""
        fields = {"began": self.began, "phase": self.phase.value, "at": self.at, **self.counts()}
        key = keys.records_compared()
        pipe = redis.pipeline(transaction=True)
        pipe.hset(key, mapping=cast("Any", fields))
        pipe.expire(key, KEEP_S)
        with redis_errors(_OP):
            await pipe.execute()

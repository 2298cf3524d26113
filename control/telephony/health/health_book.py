"""How targets are doing, in Redis: every process reads the same, and changes what it read or nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from typing import Any, cast

from redis.asyncio import Redis

from control.telephony.health.states import Patience, Seen, TargetHealth, after
from voicebackend._redis import redis_errors
from voicebackend.breaker import BreakerState
from voicebackend.errors import ConnectionFailed
from voicebackend.keys import Keys
from voicebackend.telemetry import targets_moved

logger = logging.getLogger(__name__)

KEEP_S = 24 * 3600
"""Seconds for which it is known how targets were doing that nobody probes any more."""
_TRIES = 10
_CHANGE = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""
Change = Callable[[TargetHealth], TargetHealth]


class HealthBook:
    """Reads and changes it; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._key = redis, keys.targets()

    async def read(self) -> dict[str, TargetHealth]:
        """Return how each target is doing, by name."""
        with redis_errors("targets"):
            found: Any = await cast("Any", self._redis.hgetall(self._key))
        return {name.decode(): _read(raw) for name, raw in found.items()}

    async def note(self, target: str, seen: Seen, patience: Patience, *, now: float, why: str = "") -> TargetHealth:
        """Note what was seen of a target, and return how it is doing after."""
        return await self._change(target, lambda health: after(health, seen, patience, now=now, why=why), why=why)

    async def note_probe(
        self, target: str, *, good: bool, patience: Patience, now: float, apart_s: float, why: str = ""
    ) -> TargetHealth:
        """Note a probe, unless there was one less than ``apart_s`` seconds ago: another process probes too."""

        def change(health: TargetHealth) -> TargetHealth:
            if good and now - health.probed < apart_s:
                return health
            seen = Seen.PROBED_WELL if good else Seen.PROBED_BADLY
            return after(replace(health, probed=now), seen, patience, now=now, why=why)

        return await self._change(target, change, why=why)

    async def note_call(
        self, target: str, session: str, *, good: bool, patience: Patience, now: float, why: str = ""
    ) -> TargetHealth:
        """Note what became of a call; of the trial call more follows."""

        def change(health: TargetHealth) -> TargetHealth:
            if health.trial == session:
                seen = Seen.TRIAL_WENT_WELL if good else Seen.TRIAL_FAILED
            else:
                seen = Seen.CALL_WENT_WELL if good else Seen.CALL_FAILED
            return after(health, seen, patience, now=now, why=why)

        return await self._change(target, change, why=why)

    async def claim_trial(self, target: str, session: str, *, now: float) -> bool:
        """Have this session be the trial call of a half-open target; False if it has one."""
        claimed = False

        def change(health: TargetHealth) -> TargetHealth:
            nonlocal claimed
            claimed = health.takes_calls(now)
            half = health.state is BreakerState.HALF_OPEN
            return health.on_trial(session, now) if claimed and half else health

        await self._change(target, change)
        return claimed

    async def drop_trial(self, target: str, session: str) -> None:
        """Let another call be the trial: this one told nothing."""
        await self._change(target, lambda health: replace(health, trial="") if health.trial == session else health)

    async def forget(self, but: Collection[str]) -> None:
        """Forget all targets but these."""
        with redis_errors("targets"):
            names: Any = await cast("Any", self._redis.hkeys(self._key))
            gone = [name for name in names if name.decode() not in but]
            if gone:
                await cast("Any", self._redis.hdel(self._key, *gone))

    async def _change(self, target: str, change: Change, *, why: str = "") -> TargetHealth:
        for _ in range(_TRIES):
            with redis_errors("targets"):
                raw: Any = await cast("Any", self._redis.hget(self._key, target))
                before = _read(raw or b"{}")
                health = change(before)
                if health == before:
                    return health
                args = [target, raw or b"", json.dumps(asdict(health)), KEEP_S]
                if await cast("Any", self._redis.eval(_CHANGE, 1, self._key, *args)):
                    _tell(target, before, health, why)
                    return health
        raise ConnectionFailed("targets", f"others change {target} without end: try again")


def _tell(target: str, before: TargetHealth, health: TargetHealth, why: str) -> None:
    if health.state is before.state:
        return
    targets_moved.add(1, {"to": str(health.state), "why": why or "recovered"})
    level = logging.WARNING if health.state is BreakerState.OPEN else logging.INFO
    logger.log(level, "target moved", extra={"target": target, "to": str(health.state), "why": why})


def _read(raw: bytes) -> TargetHealth:
    """Read what is written of a target; what does not parse is forgotten."""
    try:
        found = json.loads(raw)
        return TargetHealth(**{**found, "state": BreakerState(found.get("state", BreakerState.CLOSED))})
    except (ValueError, TypeError, AttributeError):
        return TargetHealth()

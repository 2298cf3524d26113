"""The book of calls that we make: records in Redis, what is due, what is in flight, and how much a trunk may do.

Every change is a compare-and-set of the version that was read: of two who decide about a call, one reads it anew.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from control.telephony.outbound import consent, scripts
from control.telephony.outbound.call import OVER, OutboundCall
from control.telephony.outbound.plan import LEASE_S
from voicebackend._redis import redis_errors
from voicebackend.errors import (
    ConnectionFailed,
    InvalidConfig,
    RateLimitExceeded,
    SessionAlreadyActive,
    SessionNotFound,
)
from voicebackend.keys import Keys
from voicebackend.telemetry import call_attempts

LIVE_TTL_S = 180 * 86_400
"""Seconds that a call lives while it is not over: it may be planned for 90 days ahead."""
OVER_TTL_S = 7 * 86_400
"""Seconds that it lives after its end."""
KEY_TTL_S = 86_400
"""Seconds for which an idempotency key is remembered."""
MAX_PLANNED = 100_000
"""Calls that a trunk can have waiting."""
MAX_PAGE = 100
_MAX_PASSES = 20
_TRIES = 50
_ID_LENGTH = 32

Decide = Callable[[OutboundCall], OutboundCall | None]


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of asking for a call to dial."""

    call: str
    """Its id; empty if there is none to be had now."""
    wait_s: float
    """Seconds until asking again may help; negative if nobody knows."""


class CallBook:
    """Reads and writes calls; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._create = redis.register_script(scripts.CREATE)
        self._put = redis.register_script(scripts.PUT)
        self._claim = redis.register_script(scripts.CLAIM)

    async def create(self, call: OutboundCall, *, key: str = "", digest: str = "") -> OutboundCall:
        """Write a new call with its consent and return it; with a key that was used before, the call that it made.

        Raises:
            SessionAlreadyActive: the key was used for another request.
            RateLimitExceeded: the trunk has ``MAX_PLANNED`` calls waiting.

        """
        keys = self._keys
        names = [keys.outbound(call.id), keys.outbound_due(call.trunk), keys.outbound_calls(call.tenant)]
        args: list[Any] = [call.id, call.to_json(), LIVE_TTL_S, repr(call.due_at), repr(call.created_at)]
        args += [digest if key else "", KEY_TTL_S, MAX_PLANNED, consent.entry_of(call), consent.KEEP_S]
        names += [keys.outbound_key(call.tenant, key or call.id), keys.outbound_consent(call.id)]
        with redis_errors("create_call"):
            told: bytes = await self._create(names, args)
        if told == b"full":
            raise RateLimitExceeded("create_call", f"the trunk has {MAX_PLANNED} calls waiting", retry_after=60)
        if not told:
            return call.with_(version=1)
        known, _, before = told.decode().partition(" ")
        if not hmac.compare_digest(before, digest):
            message = "this Idempotency-Key was used for another call: take a new one"
            raise SessionAlreadyActive("create_call", message, details={"call": known})
        return await self.get(known, call.tenant)

    async def get(self, call: str, tenant: str | None = None) -> OutboundCall:
        """Return a call; with a tenant, only if it is that tenant's.

        Raises:
            SessionNotFound: there is none.

        """
        found = (await self._many([call]))[0] if len(call) == _ID_LENGTH and call.isalnum() else None
        if found is None or tenant not in {None, found.tenant}:
            raise SessionNotFound("calls", "there is no such call, or its record expired")
        return found

    async def page(self, tenant: str, *, limit: int = MAX_PAGE, cursor: str = "") -> list[OutboundCall]:
        """Return up to ``limit`` of a tenant's calls, newest first, those after ``cursor``, the id of one of them.

        Raises:
            InvalidConfig: the cursor is in the list no more.

        """
        index, start, found = self._keys.outbound_calls(tenant), 0, list[OutboundCall]()
        with redis_errors("list_calls"):
            if cursor:
                rank: Any = await self._redis.zrevrank(index, cursor)
                if rank is None:
                    raise InvalidConfig("list_calls", "cursor: start again without it", details={"field": "cursor"})
                start = int(rank) + 1
            for _ in range(_MAX_PASSES):
                ids: Any = await self._redis.zrevrange(index, start, start + limit - len(found) - 1)
                calls = await self._many([one.decode() for one in ids])
                gone = [one for one, call in zip(ids, calls, strict=True) if call is None]
                if gone:
                    await self._redis.zrem(index, *gone)
                start += len(ids) - len(gone)
                found += [call for call in calls if call is not None]
                if len(found) >= limit or not ids:
                    break
        return found

    async def put(self, call: OutboundCall) -> OutboundCall | None:
        """Write a changed call and return it as it is now; None if another wrote it since it was read."""
        keys = self._keys
        names = [keys.outbound(call.id), keys.outbound_due(call.trunk), keys.outbound_active(call.trunk)]
        times = ["" if at is None else repr(at) for at in (call.due_at, call.look_at)]
        ttl_s = OVER_TTL_S if call.state in OVER else LIVE_TTL_S
        with redis_errors("change_call"):
            done = await self._put(names, [call.id, call.version, call.to_json(), ttl_s, *times])
        return call.with_(version=call.version + 1) if done else None

    async def change(self, call: str, decide: Decide) -> OutboundCall | None:
        """Read a call and write what is decided of it, again where another was faster; None if nothing is to change.

        Raises:
            SessionNotFound: there is no such call.
            ConnectionFailed: it changes all the time.

        """
        for _ in range(_TRIES):
            before = await self.get(call)
            wanted = decide(before)
            if wanted is None:
                return None
            written = await self.put(wanted)
            if written is not None:
                _count(before, written)
                return written
        raise ConnectionFailed("change_call", "others change this call all the time: try again")

    async def claim(self, trunk: str, *, concurrent: int, cps: float) -> Claim:
        """Take the call of a trunk that is due longest, for ``LEASE_S`` seconds, if the trunk may make one more."""
        keys = self._keys
        names = [keys.outbound_due(trunk), keys.outbound_active(trunk), keys.outbound_next(trunk)]
        with redis_errors("claim_call"):
            id_, wait_s = await self._claim(names, [concurrent, cps, LEASE_S, LIVE_TTL_S])
        return Claim(id_.decode(), float(wait_s))

    async def to_look_at(self, trunk: str, now: float, *, limit: int = 1000) -> list[str]:
        """Return the ids of a trunk's calls that should have been heard of by now, longest ago first."""
        with redis_errors("look_at_calls"):
            ids: Any = await self._redis.zrangebyscore(self._keys.outbound_active(trunk), "-inf", now, 0, limit)
        return [one.decode() for one in ids]

    async def forget(self, trunk: str, call: str) -> None:
        """Take a call that has no record any more out of the lists."""
        with redis_errors("forget_call"):
            await self._redis.zrem(self._keys.outbound_active(trunk), call)
            await self._redis.zrem(self._keys.outbound_due(trunk), call)

    async def delete(self, call: OutboundCall) -> None:
        """Delete the record of a call that is over; its consent stays."""
        keys = self._keys
        with redis_errors("delete_call"):
            await self._redis.delete(keys.outbound(call.id))
            await self._redis.zrem(keys.outbound_calls(call.tenant), call.id)
        await self.forget(call.trunk, call.id)

    async def _many(self, ids: list[str]) -> list[OutboundCall | None]:
        pipe = self._redis.pipeline(transaction=False)
        for one in ids:
            pipe.hmget(self._keys.outbound(one), "version", "call")
        with redis_errors("get_calls"):
            raw: list[Any] = await pipe.execute() if ids else []
        return [OutboundCall.from_json(text, int(version)) if version else None for version, text in raw]


def _count(before: OutboundCall, after: OutboundCall) -> None:
    """Count the attempt that this change has ended, if it has."""
    lasted = before.current
    end = None if lasted is None else after.attempts[lasted.number - 1].outcome
    if end is not None:
        call_attempts.add(1, {"trunk": after.trunk, "outcome": str(end)})

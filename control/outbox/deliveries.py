"""Deliveries in Redis: written with the event, leased for a try, done, due again, or given up.

Nothing is tried twice at once, and nothing is forgotten when a process dies. No endpoint and no tenant has more tries
at once than its share, so that one that hangs leaves the others theirs; one that fails again and again has one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from control.outbox import delivery_scripts as scripts
from control.outbox.delivery import PATIENCE_S, Answer, Delivery, Outcome, State
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys

LEASE_S = 30.0
"""Seconds that whoever was told of a delivery, or tries it, has for that; then another may."""
DONE_TTL_S = 3600
"""Seconds for which it is remembered that a delivery arrived, so that it is not made again."""
GIVEN_UP_TTL_S = 30 * 24 * 3600
"""Seconds for which one that was given up can be sent again."""
MAX_GIVEN_UP = 1000
"""Deliveries of a tenant that were given up and can be sent again; older ones are deleted."""
MAX_LISTED = 100
OF_ENDPOINT, OF_TENANT = 4, 8
"""Tries at once of one endpoint, and of all endpoints of one tenant."""
MAX_FAILURES = 5
"""Failures in a row after which an endpoint is left alone for a pause, and then has one try at a time."""
PAUSE_S, LONGEST_PAUSE_S = 10.0, 300.0
"""Seconds of the first pause, and of any at most: they double from one to the other."""
_LIVE_TTL_S = round(2 * PATIENCE_S)
_OP = "webhooks"

_LIMITS = {
    "lease_s": LEASE_S,
    "live_s": _LIVE_TTL_S,
    "done_s": DONE_TTL_S,
    "given_up_s": GIVEN_UP_TTL_S,
    "patience_s": PATIENCE_S,
    "of_endpoint": OF_ENDPOINT,
    "of_tenant": OF_TENANT,
    "max_failures": MAX_FAILURES,
    "pause_s": PAUSE_S,
    "longest_pause_s": LONGEST_PAUSE_S,
}
_STATES = {Outcome.DELIVERED: State.DELIVERED, Outcome.AGAIN: State.PENDING, Outcome.GIVEN_UP: State.GIVEN_UP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What was due at endpoints, by the ids of deliveries."""

    taken: tuple[str, ...] = ()
    """To be tried now."""
    given_up: tuple[str, ...] = ()
    """Waited for a day, at an endpoint that fails."""


class Deliveries:
    """What is on its way; ``redis`` is the ``state`` role. All of it raises ConnectionFailed, ConnectionTimeout."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def put(self, delivery: Delivery, *, told: bool) -> bool:
        """Write a new delivery, unless it was written before; return whether somebody is to be told of it now.

        Nobody is where its endpoint has no try to spare, nor without ``told``, by a process that can tell nobody: then
        the sweep tells.
        """
        encoded = [part for pair in delivery.to_fields().items() for part in pair]
        way = (delivery.tenant, delivery.endpoint)
        return bool(await self._run(scripts.PUT, *way, *encoded, id=delivery.id, told=told))

    async def due(self, endpoints: int) -> list[tuple[str, str]]:
        """Return tenant and id of endpoints where something is due, at most so many, looked at longest ago first."""
        with redis_errors(_OP):
            index = self._keys.webhooks_waiting()
            names: Any = await self._redis.zrangebyscore(index, "-inf", time.time(), start=0, num=endpoints)
        ways = [name.decode().rpartition(":") for name in names]
        return [(tenant, endpoint) for tenant, _, endpoint in ways]

    async def take(self, tenant: str, endpoint: str, limit: int = 100) -> Due:
        """Give tries to what is due at an endpoint, as far as it has any; others are not told of these for 30 s."""
        told: Any = await self._run(scripts.TAKE, tenant, endpoint, at_once=limit)
        taken, given_up = (tuple(id_.decode() for id_ in ids) for ids in told)
        return Due(taken=taken, given_up=given_up)

    async def claim(self, id_: str) -> Delivery | None:
        """Lease a delivery for one try, which counts from here; None if it is not to be tried now."""
        with redis_errors(_OP):
            key = self._keys.webhook_delivery(id_)
            tenant, endpoint = await cast("Any", self._redis.hmget(key, ["tenant", "endpoint"]))
        if tenant is None or endpoint is None:
            return None
        flat = await self._run(scripts.CLAIM, tenant.decode(), endpoint.decode(), id=id_)
        return Delivery.from_fields(dict(zip(flat[::2], flat[1::2], strict=True))) if flat else None

    async def settle(
        self, delivery: Delivery, answer: Answer, outcome: Outcome, due: float, *, removed: bool = False
    ) -> bool:
        """Note what a try came to; False if the try had taken so long that there was another.

        ``removed`` tells that there is no such endpoint any more: it did not fail.
        """
        told: dict[str, Any] = {
            "id": delivery.id,
            "attempt": delivery.attempts,
            "state": _STATES[outcome].value,
            "status": str(answer.status),
            "error": answer.error,
            "due": due,
            "failed": not (answer.is_good or removed),
        }
        return bool(await self._run(scripts.SETTLE, delivery.tenant, delivery.endpoint, **told))

    async def undelivered(self, tenant: str) -> list[Delivery]:
        """Return a tenant's deliveries that were given up, latest first, at most 100."""
        with redis_errors(_OP):
            ids: Any = await self._redis.zrevrange(self._keys.webhooks_undelivered(tenant), 0, MAX_LISTED - 1)
            pipe = self._redis.pipeline(transaction=False)
            for id_ in ids:
                pipe.hgetall(self._keys.webhook_delivery(id_.decode()))
            rows = await pipe.execute() if ids else []
        found = [Delivery.from_fields(row) for row in rows if row]
        return [delivery for delivery in found if delivery.state is State.GIVEN_UP]

    async def again(self, tenant: str, id_: str) -> bool:
        """Have a delivery tried anew that was given up, for another day; return whether somebody is to be told now.

        Raises:
            SessionNotFound: there is none.

        """
        with redis_errors(_OP):
            endpoint = await cast("Any", self._redis.hget(self._keys.webhook_delivery(id_), "endpoint"))
        way = (tenant, (endpoint or b"").decode())
        told = await self._run(scripts.AGAIN, *way, str(time.time()), id=id_, owner=tenant)
        if told < 0:
            raise SessionNotFound(_OP, "there is no such delivery")
        return bool(told)

    async def _run(self, script: str, tenant: str, endpoint: str, *arguments: str, **step: Any) -> Any:
        """Run a step at an endpoint."""
        keys = self._keys
        touched = [
            *(keys.webhooks_due(tenant, endpoint), keys.webhooks_waiting(), keys.webhook_tries(tenant)),
            *(keys.webhook_health(tenant, endpoint), keys.webhooks_undelivered(tenant)),
        ]
        about = {"now": time.time(), "endpoint": endpoint, "name": f"{tenant}:{endpoint}"}
        plan = {**_LIMITS, "most_given_up": MAX_GIVEN_UP, **about, "delivery": keys.webhook_delivery(""), **step}
        with redis_errors(_OP):
            run = self._redis.eval(script, len(touched), *touched, json.dumps(plan), *arguments)
            return await cast("Any", run)

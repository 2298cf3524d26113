"""A carrier that reaches nobody: outcomes by number, as the settings have them, without a network."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from redis.asyncio import Redis

from control.telephony.outbound.carrier import CallStatus, DialOrder, Outcome
from control.telephony.outbound.line import CarrierSetup
from control.telephony.outbound.settings import ANY, MockNumber
from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidConfig, RateLimitExceeded
from voicebackend.keys import Keys

KEEP_S = 86_400
"""Seconds for which an order is remembered."""
_REFUSALS = {"refused": RateLimitExceeded, "rejected": InvalidConfig}
_ENDS = {
    "answered": Outcome.COMPLETED,
    "machine": Outcome.COMPLETED,
    "busy": Outcome.BUSY,
    "no_answer": Outcome.NO_ANSWER,
    "failed": Outcome.FAILED,
}


class MockCarrier:
    """Remembers in Redis when it got an order; what has become of it since follows from the clock."""

    polled: ClassVar[bool] = True
    joins_room: ClassVar[bool] = False

    def __init__(self, redis: Redis, keys: Keys, numbers: Mapping[str, MockNumber]) -> None:
        self._redis, self._keys, self._numbers = redis, keys, numbers

    @classmethod
    def of(cls, setup: CarrierSetup) -> Self:
        """Return the carrier of a trunk."""
        return cls(setup.redis, setup.keys, setup.trunk.numbers)

    async def dial(self, order: DialOrder) -> str:
        """Begin to ring; raises RateLimitExceeded or InvalidConfig where the script says so."""
        outcome = self._script(order.to, order.attempt)[0]
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]("dial", "the mock carrier was told to say so")
        id_ = f"{order.call}:{order.attempt}"
        entry = json.dumps({"at": time.time(), "to": order.to})
        with redis_errors("dial"):
            await self._redis.set(self._key(id_), entry, nx=True, ex=KEEP_S)
        return id_

    async def hang_up(self, carrier_call_id: str) -> None:
        """End the call now."""
        with redis_errors("hang_up"):
            found: Any = await self._redis.get(self._key(carrier_call_id))
            if found is not None:
                entry = {"end": time.time(), **json.loads(found)}
                await self._redis.set(self._key(carrier_call_id), json.dumps(entry), ex=KEEP_S)

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Refuse: there is nobody to hand over."""
        del carrier_call_id, to, back_url
        raise InvalidConfig("transfer", "the mock carrier cannot transfer calls")

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Return how far the attempt is by the clock; None if it never began to ring."""
        id_ = f"{order.call}:{order.attempt}"
        with redis_errors("find"):
            found: Any = await self._redis.get(self._key(id_))
        if found is None:
            return None
        entry = json.loads(found)
        outcome, at = self._now(order, entry["at"], entry.get("end", float("inf")))
        machine = self._script(order.to, order.attempt)[0] == "machine"
        answered = outcome in {Outcome.ANSWERED, Outcome.MACHINE, Outcome.COMPLETED}
        return CallStatus(
            call=order.call,
            attempt=order.attempt,
            outcome=outcome,
            carrier_call_id=id_,
            at=at,
            machine=machine if answered else None,
        )

    async def aclose(self) -> None:
        """Nothing to let go of: the connection is the deployment's."""

    def _now(self, order: DialOrder, began: float, hung_up: float) -> tuple[Outcome, float]:
        """Return how far an attempt is, and since when; ``hung_up`` is when we ended it."""
        outcome, script = self._script(order.to, order.attempt)
        ring_s = order.ring_s if outcome == "no_answer" else min(script.ring.total_seconds(), order.ring_s)
        answers = outcome in {"answered", "machine"} and script.ring.total_seconds() <= order.ring_s
        settled = began + ring_s
        now = time.time()
        if min(now, hung_up) < settled:
            return (Outcome.CANCELLED, hung_up) if hung_up < settled else (Outcome.RINGING, began)
        if not answers:
            return (_ENDS[outcome] if outcome not in {"answered", "machine"} else Outcome.NO_ANSWER), settled
        end = min(settled + script.talk.total_seconds(), hung_up)
        if now >= end:
            return Outcome.COMPLETED, end
        return (Outcome.MACHINE if outcome == "machine" else Outcome.ANSWERED), settled

    def _script(self, number: str, attempt: int) -> tuple[str, MockNumber]:
        script = self._numbers.get(number) or self._numbers.get(ANY) or MockNumber()
        return script.outcomes[min(attempt, len(script.outcomes)) - 1], script

    def _key(self, carrier_call_id: str) -> str:
        call, _, attempt = carrier_call_id.rpartition(":")
        return self._keys.outbound_mock(call, int(attempt))

"""What a new session asks of admission: a slot with one of these workers, or a place in the queue. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from control.sessions.queue_order import Waiting
from control.sessions.slot_scripts import Slot
from control.sessions.workers import WorkerInfo
from voicebackend.errors import RateLimitExceeded, SessionAlreadyActive, SessionLimitExceeded, VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.limits import Limits
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState

RETRY_AFTER_S = 2.0
"""Seconds after which to ask again when all slots are taken."""
QUEUE_TTL_S = 600
"""Seconds that a queue nobody joins lives: twice as long as anybody may wait in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRequest:
    """A slot with the one of these workers that has most free, within these limits."""

    workers: Sequence[WorkerInfo]
    """Those that have the provider and take sessions; of equals the first is taken."""
    limits: Limits
    waiting: Waiting | None = None
    """Its place in the queue where none is free; without, it is refused then."""

    def keys(self, keys: Keys) -> list[str]:
        """Return the keys of the workers' lanes, as the script expects them."""
        return lane_keys(keys, self.workers)

    def plan(self, keys: Keys) -> dict[str, Any]:
        """Return what the script ``ADMIT`` is told of it."""
        rate = self.limits.tenant_rate
        plan: dict[str, Any] = {
            **whom_to_ask(keys, self.workers),
            "max_sessions": self.limits.tenant_sessions,
            "max_seconds": self.limits.tenant_minutes * 60,
            "interval_ms": rate.interval_ms,
            "tolerance_ms": rate.interval_ms * (rate.burst - 1),
            "max_queued": self.limits.max_queued,
            "queue_ttl": QUEUE_TTL_S,
        }
        return plan | ({"ticket": self.waiting.ticket()} if self.waiting else {})


def seconds_of_today(keys: Keys, tenant: str) -> str:
    """Return the key of the seconds of a tenant's sessions that ended today."""
    return keys.tenant_seconds(tenant, datetime.now(UTC).date().isoformat())


def seconds_left(now: datetime) -> float:
    """Return the seconds from ``now`` until the next day begins, UTC."""
    midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)
    return (midnight - now).total_seconds()


def lane_keys(keys: Keys, workers: Sequence[WorkerInfo]) -> list[str]:
    """Return the set of lanes of each worker."""
    return [keys.worker_lanes(worker.id) for worker in workers]


def whom_to_ask(keys: Keys, workers: Sequence[WorkerInfo]) -> dict[str, Any]:
    """Return what the scripts are told of the workers: ``[id, slots, [lane, ...]]`` each, and how keys are called."""
    lease, sessions = keys.of_any_lane()
    asked = [[worker.id, worker.slots_total, list(worker.lanes)] for worker in workers]
    return {"workers": asked, "lease": lease, "sessions": sessions, "lanes": keys.lanes()}


def admitted(record: SessionRecord, reply: Sequence[Any]) -> SessionRecord:
    """Return the record as ``ADMIT`` wrote it; raises the error of a refusal."""
    verdict = Slot(reply[0].decode())
    if verdict is Slot.QUEUED:
        return record
    if verdict is not Slot.TAKEN:
        raise _refusal(verdict, float(reply[1]) / 1000 if verdict is Slot.RATE else _retry_after_s(verdict))
    if len(reply) == 1:
        return record
    lane, worker, epoch = int(reply[1]), reply[2].decode(), int(reply[3])
    return replace(
        record,
        state=SessionState.STARTING,
        lane=lane,
        worker=worker,
        epoch=epoch,
        placed_at=record.created_at,
    )


_LIMITS = {
    Slot.FULL: ("all slots are taken: try again later, or ask for a place in the queue", "slots"),
    Slot.QUEUE_FULL: ("all slots are taken, and as many sessions wait as may: try again later", "max_queued"),
    Slot.MINUTES: ("this tenant's sessions had as many minutes today as they may", "tenant_minutes"),
    Slot.QUOTA: ("this tenant has as many sessions as it may: end one", "tenant_sessions"),
}
"""In words, and in a word, why a session has no slot."""


def _retry_after_s(verdict: Slot) -> float:
    return seconds_left(datetime.now(UTC)) if verdict is Slot.MINUTES else RETRY_AFTER_S


def _refusal(verdict: Slot, retry_after_s: float) -> VoiceBackendError:
    op = "create_session"
    if verdict is Slot.EXISTS:
        return SessionAlreadyActive(op, "there is a session of this id")
    if verdict is Slot.RATE:
        message = "this tenant creates sessions too fast: wait for the time given"
        return RateLimitExceeded(op, message, details={"limit": "tenant_rate"}, retry_after=retry_after_s)
    message, limit = _LIMITS[verdict]
    return SessionLimitExceeded(op, message, details={"limit": limit}, retry_after=retry_after_s)

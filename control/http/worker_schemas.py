"""The bodies of ``/v1/workers`` and ``/v1/queues``."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from control.sessions.workers import WorkerInfo
from voicebackend.session import Health


class WorkerView(BaseModel):
    """A streaming worker that is there now."""

    id: str
    provider: str
    """The one that its configuration names."""
    slots_total: int | None
    """Sessions it can hold; null is unlimited."""
    sessions: int
    """That it runs."""
    lanes: dict[int, int]
    """Sessions in each lane that it holds."""
    draining: bool
    """It hands its sessions over and ends."""
    admitting: bool
    """Else it has enough to do for now."""
    lag_ms: float
    """How late its event loop wakes, p95 of the last seconds."""
    cpu: float
    """Of one core, over the last seconds."""
    rss_mb: float
    """Its resident memory, in 10^6 bytes."""
    config_version: int
    health: dict[str, Health]
    """How the providers and engines do that it has used, by name."""

    @classmethod
    def of(cls, worker: WorkerInfo) -> Self:
        """Return what an announcement tells."""
        return cls(
            id=worker.id,
            provider=worker.provider,
            slots_total=None if worker.unlimited else worker.slots_total,
            sessions=sum(worker.loads.values()),
            lanes={lane: worker.loads.get(lane, 0) for lane in sorted(worker.lanes)},
            draining=worker.draining,
            admitting=worker.admitting,
            lag_ms=worker.lag_ms,
            cpu=worker.cpu,
            rss_mb=worker.rss_mb,
            config_version=worker.config_version,
            health=dict(worker.health),
        )


class WorkerList(BaseModel):
    """Every streaming worker, by id."""

    workers: list[WorkerView]


class QueueView(BaseModel):
    """One of Celery's queues."""

    name: str
    waiting: int
    """Tasks that no process has taken yet."""


class QueueList(BaseModel):
    """Every queue of Celery's."""

    queues: list[QueueView]
    dead_letters: int
    """Tasks that were given up; of the oldest, some are forgotten."""

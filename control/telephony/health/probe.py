"""What workers announce, as it concerns a target: whether anybody there could take its calls. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from control.sessions.workers import WorkerInfo
from voicebackend.session import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look at a target found."""

    why: str = ""
    """What is wrong: ``no_worker``, ``no_telephony``, ``check_failed``; empty if it could take calls."""
    workers: int = 0
    """Workers that could take its calls now."""

    @property
    def is_good(self) -> bool:
        """Tell whether it could take calls; one that is full could, later."""
        return not self.why


def probe(provider: str, workers: Iterable[WorkerInfo], *, fail: int) -> Finding:
    """Look at a target's provider: ``fail`` of its checks in a row must have failed on every worker that has it."""
    having = [worker for worker in workers if provider in worker.providers and not worker.draining]
    if not having:
        return Finding(why="no_worker")
    able = [worker for worker in having if _by_telephone(worker, provider)]
    if not able:
        return Finding(why="no_telephony")
    well = [worker for worker in able if worker.checks.get(provider, 0) > -fail]
    if not well:
        return Finding(why="check_failed")
    return Finding(workers=sum(worker.takes_sessions for worker in well))


def _by_telephone(worker: WorkerInfo, provider: str) -> bool:
    return Transport.TELEPHONY in worker.providers[provider].get("capabilities", {}).get("transports", ())

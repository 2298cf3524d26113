"""``telephony.probe``: whether the routing table's targets take calls, from what workers announce and check.

Runs more often than targets' ``every``, because it only reads Redis: what takes time and vendors' patience are the
workers' own checks, which it tells them to make twice in that time. May run twice, or beside another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from control import context, loop
from control.context import TaskContext
from control.sessions.workers import WorkerInfo, announced_workers
from control.telephony.health.health_book import HealthBook
from control.telephony.health.probe import Finding
from control.telephony.health.probe import probe as look
from control.telephony.health.states import TargetHealth
from control.telephony.health.tables import Watched, told
from voicebackend._redis import redis_errors
from voicebackend.breaker import BreakerState
from voicebackend.errors import ErrorCode, SessionNotFound
from voicebackend.session import SessionState
from voicebackend.tasks import TELEPHONY_PROBE

TIMEOUT_S = 5.0
"""Seconds for one task."""
TOLD_S = 30
"""Seconds for which workers check what nobody tells them again to check."""
_OUTCOMES = {SessionState.READY: True, SessionState.ACTIVE: True, SessionState.FAILED: False}
"""What the state of a trial call's session says; any other says nothing yet."""


def probe() -> None:
    """Look at every target."""
    loop.run(probe_targets(context.current(), time.time()), TIMEOUT_S)


async def probe_targets(shared: TaskContext, now: float) -> None:
    """Look at every target of the tables that are in use; ``now`` is in seconds since the epoch.

    Raises:
        ConnectionFailed: Redis is not there; targets stay as they were.

    """
    targets = await told(shared.state, shared.keys)
    await _tell_workers(shared, targets)
    if not targets:
        return
    book, workers = HealthBook(shared.state, shared.keys), await announced_workers(shared.state, shared.keys)
    await book.forget(targets.keys())
    known = await book.read()
    for name, target in targets.items():
        health = known.get(name, TargetHealth())
        if health.state is BreakerState.HALF_OPEN and health.trial:
            await _look_at_trial(shared, name, target, health.trial, now)
        await _note(book, name, target, _look(target, workers), now)


def _look(target: Watched, workers: list[WorkerInfo]) -> Finding:
    return look(target.provider, workers, fail=target.patience.fail)


async def _note(book: HealthBook, name: str, target: Watched, found: Finding, now: float) -> None:
    apart_s = TELEPHONY_PROBE.every_s / 2
    await book.note_probe(name, good=found.is_good, patience=target.patience, now=now, apart_s=apart_s, why=found.why)


async def _look_at_trial(shared: TaskContext, name: str, target: Watched, session: str, now: float) -> None:
    """Note how the one call of a half-open target is getting on."""
    try:
        record = await shared.store.get(session)
    except SessionNotFound:
        return  # not made yet; or never, and then the trial lapses
    good = _OUTCOMES.get(record.state)
    if good is not None:
        why = "" if good else record.reason or str(ErrorCode.PIPELINE_ERROR)
        book = HealthBook(shared.state, shared.keys)
        await book.note_call(name, session, good=good, patience=target.patience, now=now, why=why)


async def _tell_workers(shared: TaskContext, targets: Mapping[str, Watched]) -> None:
    """Tell workers which providers to check, and how often."""
    every: dict[str, float] = {}
    for target in targets.values():
        every_s = target.patience.every_s / 2
        every[target.provider] = min(every_s, every.get(target.provider, every_s))
    key = shared.keys.checked_providers()
    pipe = shared.state.pipeline(transaction=True)
    pipe.delete(key)
    if every:
        pipe.hset(key, mapping=cast("Any", every))
        pipe.expire(key, TOLD_S)
    with redis_errors("probe"):
        await pipe.execute()

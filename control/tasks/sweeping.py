"""``retention.sweep``, ``.erase``, ``.seal``, ``.reconcile``: delete what is due, in small batches, and keep the proof.

Any number may run at once: what one has claimed, no other touches until its lease has lapsed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from control import context, loop
from control.context import TaskContext
from control.records import marker
from control.records.comparison import Comparison, Phase
from control.records.erasure import Erasures
from control.records.marker import WrongStore
from control.records.notes import clear_all_notes
from control.records.reconcile import reconcile
from control.records.seal import seal
from control.records.sweep import sweep
from control.telephony.outbound.erasure import ForgettableCalls
from voicebackend import telemetry
from voicebackend.errors import ConnectionFailed

logger = logging.getLogger(__name__)

FOR_S = 8.0
"""Seconds for which one task sweeps: less than the time to the next."""
TIMEOUT_S = 40.0
"""Seconds for one task."""
RELEASE_S, COMPARE_S = 12.0, 20.0
"""Seconds for which one task gives back what no hold covers any more, and then compares; the next goes on there."""
EVERY_S = 21_600.0
"""Seconds from the beginning of one comparison of everything to the next."""
LATE_S = 600.0
"""Seconds that something may be due and there before somebody is told."""


def sweep_due() -> None:
    """Delete what is due."""
    loop.run(_sweep(context.current()), TIMEOUT_S)


def seal_receipts() -> None:
    """Put the receipts into the store."""
    loop.run(_seal(context.current()), TIMEOUT_S)


def go_on_erasing() -> None:
    """Carry requests to erase a person as far as that is possible now."""
    loop.run(_erase(context.current()), TIMEOUT_S)


def compare() -> None:
    """Compare store and index."""
    loop.run(_compare(context.current()), TIMEOUT_S)


async def _compare(shared: TaskContext) -> None:
    """Go on where the last one stopped; when all is compared, rest until the next time."""
    cabinet = await shared.cabinet()
    if cabinet is None:
        return
    await cabinet.holds.release(for_s=RELEASE_S)
    before = await Comparison.read(shared.state, shared.keys)
    if before is not None and before.phase is Phase.DONE:
        if time.time() < before.began + EVERY_S:
            return
        before = None
    found: Comparison | None = None
    with _told("not compared"):
        found = await reconcile(cabinet.index, cabinet.objects, cabinet.settings, before, for_s=COMPARE_S)
        await found.write(shared.state, shared.keys)
    if found is not None and found.phase is Phase.DONE:
        logger.info("store and index compared", extra=found.counts())


async def _erase(shared: TaskContext) -> None:
    cabinet = await shared.cabinet()
    if cabinet is not None:
        await shared.refresh()
        await Erasures(shared.state, shared.keys, shared.store, cabinet).go_on(
            ForgettableCalls(shared.state, shared.keys),
            lambda: shared.parts.find("memory"),
            lambda: clear_all_notes(shared.deployment),
        )


async def _sweep(shared: TaskContext) -> None:
    cabinet = await shared.cabinet()
    if cabinet is None:
        return
    with _told("not swept"):
        done = await sweep(cabinet.index, cabinet.objects, for_s=FOR_S, rate=cabinet.settings.sweep_rate)
        telemetry.records_deleted.add(done)
    late_s = await cabinet.index.late_s()
    telemetry.records_late_seconds.set(late_s)
    if late_s > LATE_S:
        logger.error("records are due and still there", extra={"late_s": round(late_s)})


async def _seal(shared: TaskContext) -> None:
    cabinet = await shared.cabinet()
    if cabinet is None:
        return
    with _told("receipts not sealed"):
        await marker.check(cabinet.index, cabinet.objects)
        if count := await seal(shared.state, shared.keys, cabinet.objects):
            logger.info("receipts sealed", extra={"receipts": count})


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say in the log why something was not done: it is tried again soon, and no dead letter each time."""
    try:
        yield
    except WrongStore as error:
        logger.error("the store is not the one that it was", extra={"what": what, "reason": error.message})  # noqa: TRY400 - one line
    except ConnectionFailed as error:
        logger.warning("the store does not answer", extra={"what": what, "reason": error.message})

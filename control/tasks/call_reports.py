"""``telephony.report``: each tenant's report of the calls of a day that is over, written down once.

Runs every hour, so that a day is reported though beat was away at its end. What two runs write is the same: a day's
counts belong to the day on which a call came, and a report stays as it was written first.
"""

from __future__ import annotations

import logging
import time

from control import context, loop
from control.context import TaskContext
from control.telephony.call_counts import day_of
from control.telephony.daily_calls import DailyCalls

logger = logging.getLogger(__name__)

TIMEOUT_S = 30.0
"""Seconds for one task."""
LONGEST_S = 2 * 3600.0
"""Seconds for which a call may go on into the next day and still be in its own day's report."""
BACK = 3
"""Days that are looked at: beat may have been away."""
_DAY_S = 24 * 3600.0


def seal() -> None:
    """Write the reports of the last days that have none."""
    loop.run(seal_reports(context.current(), time.time()), TIMEOUT_S)


async def seal_reports(shared: TaskContext, now: float) -> None:
    """Write the reports of the days before the one of ``now``, seconds since the epoch, that have none.

    Raises:
        ConnectionFailed: Redis is not there; the next run writes what is missing.

    """
    daily = DailyCalls(shared.state, shared.keys)
    for back in range(1, BACK + 1):
        day = day_of(now - LONGEST_S - back * _DAY_S)
        for tenant in await daily.tenants(day):
            if await daily.seal(tenant, day):
                found = await daily.report(tenant, day)
                totals = {name: found[name] for name in ("calls", "refused", "minutes", "setup_p95_ms")}
                logger.info("calls of a day", extra={"tenant": tenant, "day": day, **totals})

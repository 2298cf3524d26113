"""Everything that is compared and repaired, in order: one table."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from control.context import TaskContext
from control.tasks.repairs.calls import repair_calls
from control.tasks.repairs.keys import repair_keys
from control.tasks.repairs.lanes import repair_lanes
from control.tasks.repairs.sessions import repair_sessions
from control.tasks.repairs.slots import repair_slots
from control.tasks.repairs.tenants import repair_tenants
from voicebackend.errors import VoiceBackendError

logger = logging.getLogger(__name__)

REPAIRS: dict[str, Callable[[TaskContext, float], Awaitable[None]]] = {
    "lanes": repair_lanes,
    "sessions": repair_sessions,
    "slots": repair_slots,
    "tenants": repair_tenants,
    "calls": repair_calls,
    "keys": repair_keys,
}
"""What is gone through each time; ``now`` is in seconds since the epoch."""


async def reconcile(shared: TaskContext, now: float) -> None:
    """Go through all of it; what cannot be done now does not keep the rest from it."""
    for name, repair in REPAIRS.items():
        try:
            await repair(shared, now)
        except VoiceBackendError as error:
            logger.warning("not repaired", extra={"what": name, "code": str(error.code)})

"""What can be found broken, and telling of it: in the log, in a count, and in the events of the session concerned."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from control.context import TaskContext
from voicebackend.errors import VoiceBackendError
from voicebackend.telemetry import repairs_total

logger = logging.getLogger(__name__)


class Repair(StrEnum):
    """What was repaired."""

    START_REPEATED = "start_repeated"
    """A session that has its slot and did not start in time was started again."""
    NEVER_READY = "never_ready"
    """A session that did not get ready was ended."""
    END_NOTED = "end_noted"
    """A session is over, as its log says, and its record did not know."""
    HOLDER_NOTED = "holder_noted"
    """The record did not say who holds the session's lane."""
    SLOT_RESTORED = "slot_restored"
    """A running session had no slot."""
    SESSION_UNHELD = "session_unheld"
    """Nobody took over the lane of a session: it was ended."""
    TURN_CANCELLED = "turn_cancelled"
    """An agent was answering a session that nobody holds."""
    SLOT_FREED = "slot_freed"
    """A slot was held by a session that is over or gone."""
    SESSION_UNWATCHED = "session_unwatched"
    """A running session was not among those that are looked after."""
    TENANT_OVERCOUNTED = "tenant_overcounted"
    """A session that is over or gone counted as its tenant's."""
    LANE_OFFERED = "lane_offered"
    """A lane with sessions that nobody holds was not among those that workers look through for lanes to take over."""
    LANE_REMOVED = "lane_removed"
    """A lane that nobody holds and that has no session had left its stream or checkpoint behind."""
    CALL_ENDED = "call_ended"
    """A telephone call whose session is over, or never came, still counted against limits."""
    KEY_EXPIRES = "key_expires"
    """A key in Redis (an inbox, a token, a turn) would have lived for ever."""


async def tell(
    shared: TaskContext, repair: Repair, session_id: str = "", *, count: int = 1, event: bool = True, **extra: Any
) -> None:
    """Log and count a repair; the session it concerns gets the event ``{"type": "repaired", "what"}``.

    Without ``event`` it does not: after the end of a log nobody reads on.
    """
    about = {"session_id": session_id} if session_id else {}
    logger.warning("repaired", extra={"repair": str(repair), "count": count, **about, **extra})
    repairs_total.add(count, {"kind": str(repair)})
    if not (session_id and event):
        return
    try:
        await shared.store.append_log(session_id, {"type": "repaired", "what": str(repair)})
    except VoiceBackendError as error:
        logger.warning("session not told of a repair", extra={**about, "code": str(error.code)})

"""The session of one call at one target, within the time that it has; one that comes too late is ended again."""

from __future__ import annotations

import asyncio
import logging

from control.access.principal import Principal
from control.http.creation import create_session
from control.services import Services
from voicebackend.errors import OperationTimeout, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.session import SessionRequest
from voicebackend.tasks import SESSIONS_CLOSE

logger = logging.getLogger(__name__)

LATE_S = 30.0
"""Seconds that a creation may go on after its call went elsewhere."""


async def session_within(
    services: Services, principal: Principal, request: SessionRequest, timeout_s: float, *, routed_as: str = ""
) -> SessionRecord:
    """Create a session as ``create_session``.

    To cancel a creation could leave a slot taken by nobody: it goes on, and its session is ended.

    Raises:
        OperationTimeout: it takes longer than ``timeout_s`` seconds.
        VoiceBackendError: as ``create_session``.

    """
    creating = asyncio.create_task(
        create_session(services, principal, request, routed_as=routed_as), name="session of a call"
    )
    try:
        await asyncio.wait({creating}, timeout=timeout_s)
    finally:
        if not creating.done():
            services.background.start(_end_late(services, creating), name="late session of a call")
    if not creating.done():
        raise OperationTimeout("incoming_call", "the session was not there in time")
    return creating.result()


async def end(services: Services, session: str) -> None:
    """Have a session ended that no call needs; the reconciler ends it where that is not possible now."""
    try:
        await services.publisher.publish(SESSIONS_CLOSE, session_id=session, reason="closed")
    except VoiceBackendError as error:
        logger.warning("session not ended", extra={"session_id": session, "error_code": error.code})


async def _end_late(services: Services, creating: asyncio.Task[SessionRecord]) -> None:
    try:
        async with asyncio.timeout(LATE_S):
            record = await creating
    except (VoiceBackendError, TimeoutError) as error:
        logger.info("late session did not come", extra={"error": type(error).__name__})
        return
    await end(services, record.id)

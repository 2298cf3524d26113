"""The session of a call whose called party joins a room: made before anybody is rung up, so that the agent is there."""

from __future__ import annotations

import asyncio
import logging
import secrets

from control.access.principal import Principal
from control.context import TaskContext
from control.http.creation import create_session
from control.tasks.session_services import session_services
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.facts import facts_of
from control.telephony.outbound.line import OutboundLine
from voicebackend._redis import redis_errors
from voicebackend.channel import Sender
from voicebackend.errors import OperationTimeout, VoiceBackendError, from_code
from voicebackend.session import SessionRequest, SessionState, Transport, is_over
from voicebackend.tasks import SESSIONS_CLOSE

logger = logging.getLogger(__name__)

READY_S = 8.0
"""Seconds in which the agent must be in the room; else nobody is dialled."""
PROVIDER = "livekit"
"""Whose rooms called parties join."""
_LOOK_S = 0.1
_OP = "call_room"


async def open_room(shared: TaskContext, line: OutboundLine, call: OutboundCall) -> str:
    """Return the session of the attempt that lasts, once its room is open.

    Raises:
        SessionLimitExceeded: there is no slot for it.
        OperationTimeout: it was not ready in time; it is ended again.
        VoiceBackendError: it cannot be had.

    """
    asked, sender = call.request, Sender(shared.wire)
    request = SessionRequest(
        user_id=asked.to,
        transport=Transport.WEBRTC,
        provider=asked.provider or PROVIDER,
        agent=asked.agent,
        consent=asked.consent,
        metadata=facts_of(line, call, call.attempts[-1].number, ""),
    )
    principal = Principal(user_id=f"trunk:{line.name}", tenant=call.tenant)
    services = await session_services(shared, sender)
    record = await create_session(services, principal, request, routed_as=secrets.token_hex(16))
    try:
        with redis_errors(_OP):
            await sender.flush()
        async with asyncio.timeout(READY_S):
            await _ready(shared, record.id)
    except (TimeoutError, VoiceBackendError) as error:
        await close_room(shared, record.id)
        if isinstance(error, TimeoutError):
            raise OperationTimeout(_OP, "the agent was not there in time") from error
        raise
    return record.id


async def close_room(shared: TaskContext, session: str) -> None:
    """Have a session ended that nobody will join; one of which nobody can be told now ends by itself."""
    try:
        await shared.publisher.publish(SESSIONS_CLOSE, session_id=session, reason="closed")
    except VoiceBackendError as error:
        logger.warning("session not ended", extra={"session_id": session, "error_code": error.code})


async def _ready(shared: TaskContext, session: str) -> None:
    while True:
        record = await shared.store.get(session)
        if is_over(record.state):
            raise from_code(record.reason, _OP, "the call's session is over", details={"session": session})
        if record.state is SessionState.READY:
            return
        await asyncio.sleep(_LOOK_S)

"""A machine has answered a call that we made: what is done is what the call says."""

from __future__ import annotations

import logging

from control.http.announcing import announce
from control.services import Services
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.line import OutboundLine
from voicebackend._redis import redis_errors
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.session import SessionState

logger = logging.getLogger(__name__)

ATTACHED_S = 15.0
"""Seconds within which the call's media must flow, before a message is given up."""
REMEMBER_S = 3600
"""Seconds for which it is known that a machine was dealt with: carriers tell twice."""
_HANG_UP = RetryPolicy(max_retries=3, delay_s=0.5)
_OP = "answering_machine"
REASON = "machine"
"""Why such a session ends."""


def deal(services: Services, line: OutboundLine, call: OutboundCall, *, greeting_over: bool) -> None:
    """Begin to do what the call says; the webhook that told of the machine does not wait for it."""
    match call.request.on_machine:
        case "hang_up":
            services.background.start(_hang_up(line, call), name="hang up on a machine")
        case "leave_message" if greeting_over:
            services.background.start(_leave_message(services, line, call), name="leave a message")
        case _:
            pass


async def _hang_up(line: OutboundLine, call: OutboundCall) -> None:
    sid = call.attempts[-1].carrier_call_id
    logger.info("machine answered: hanging up", extra={"call": call.id})
    await retrying(_HANG_UP, lambda: line.carrier.hang_up(sid))


async def _leave_message(services: Services, line: OutboundLine, call: OutboundCall) -> None:
    """Have the session say it and end; one whose media does not flow is hung up."""
    attempt = call.attempts[-1]
    mark = services.keys.webhook(f"machine:{call.id}:{attempt.number}")
    with redis_errors(_OP):
        if not await services.state.set(mark, b"", nx=True, ex=REMEMBER_S):
            return
    try:
        record = await services.logs.wait_until(attempt.session, {SessionState.ACTIVE}, ATTACHED_S)
    except Exception:
        await _hang_up(line, call)
        raise
    logger.info("machine answered: leaving a message", extra={"call": call.id, "session_id": record.id})
    announce(services, record, call.request.message or "", end=REASON)

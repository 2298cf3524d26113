"""A call that we made and somebody answered: it gets the session that was planned for it, once."""

from __future__ import annotations

import secrets
import time

from control.access.principal import Principal
from control.http.call_once import taken_once
from control.http.call_placing import Taken
from control.http.call_session import session_within
from control.services import Services
from control.telephony.call_register import CallRegister, Refused
from control.telephony.outbound import plan
from control.telephony.outbound.book import CallBook
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.carrier import CallStatus
from control.telephony.outbound.facts import facts_of
from control.telephony.outbound.line import OutboundLine
from voicebackend.errors import AuthorizationFailed
from voicebackend.session import Queueing, SessionRequest, Transport

TRY_S = 7.0
"""Seconds that a session has to be made: who answered hears nothing meanwhile."""
ROOM_S = 4.0
"""Seconds that it may wait for a slot: to wait is better than to have rung for nothing."""
_OP = "answered_call"


async def heard(services: Services, line: OutboundLine, status: CallStatus) -> OutboundCall | None:
    """Note what a carrier tells of an attempt; None where that changes nothing.

    Raises:
        SessionNotFound: there is no such call.

    """
    book = CallBook(services.state, services.keys)
    return await book.change(status.call, lambda found: plan.heard(found, status, line.watch, time.time()))


async def called(
    services: Services, line: OutboundLine, call_id: str, attempt: int, carrier_call_id: str
) -> OutboundCall:
    """Return the call that a carrier speaks of.

    Raises:
        SessionNotFound: there is none, or it is of another trunk's tenant.
        AuthorizationFailed: the carrier's id is another attempt's: somebody sends an old webhook again.

    """
    call = await CallBook(services.state, services.keys).get(call_id, line.tenant)
    known = next((one.carrier_call_id for one in call.attempts if one.number == attempt), None)
    if call.trunk != line.name or known is None or known not in {"", carrier_call_id}:
        raise AuthorizationFailed(_OP, "this attempt is not the carrier's call")
    return call


async def answered(
    services: Services,
    line: OutboundLine,
    call: OutboundCall,
    attempt: int,
    carrier_call_id: str,
    *,
    until: float | None = None,
) -> Taken | Refused:
    """Return the session of an attempt that was answered: asked again, the same until its caller is there.

    Raises:
        AuthorizationFailed: the attempt is over: somebody sends an old webhook again.
        BeingTaken: it takes longer than ``until``, in the loop's time: it goes on, and the carrier may ask again.
        SessionLimitExceeded: there is no room for it now.
        SessionAlreadyActive, SessionNotActive: it has had its caller.
        VoiceBackendError: as ``create_session``.

    """
    current = call.current
    if current is None or current.number != attempt:
        raise AuthorizationFailed(_OP, "the attempt is over")
    register = CallRegister(services.state, services.keys, trunk=line.name, call_id=f"{call.id}:{attempt}")

    async def take() -> Taken:
        principal = Principal(user_id=f"trunk:{line.name}", tenant=call.tenant)
        request, routed = _request(line, call, attempt, carrier_call_id), secrets.token_hex(16)
        record = await session_within(services, principal, request, TRY_S, routed_as=routed)
        return Taken(record.id, record.tenant)

    taken = await taken_once(services, register, call.tenant, take, until=until)
    if isinstance(taken, Refused):
        return taken
    book = CallBook(services.state, services.keys)
    await book.change(call.id, lambda found: _with_session(found, attempt, taken.session))
    return taken


def _with_session(call: OutboundCall, attempt: int, session: str) -> OutboundCall | None:
    current = call.current
    if current is None or current.number != attempt or current.session == session:
        return None
    return call.with_current(session=session)


def _request(line: OutboundLine, call: OutboundCall, attempt: int, carrier_call_id: str) -> SessionRequest:
    """Return what is asked of the agent that was planned for the call."""
    asked = call.request
    return SessionRequest(
        user_id=asked.to,
        transport=Transport.TELEPHONY,
        provider=asked.provider,
        agent=asked.agent,
        consent=asked.consent,
        metadata=facts_of(line, call, attempt, carrier_call_id),
        queue=Queueing(max_wait=ROOM_S),
    )

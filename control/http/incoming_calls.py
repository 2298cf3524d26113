"""A telephone call that comes in: routed, and given a session; told of again, it keeps that."""

from __future__ import annotations

from control.http.call_once import taken_once
from control.http.call_placing import Taken, place
from control.services import Services
from control.telephony.call_register import CallRegister, Refused
from control.telephony.carriers.carrier import Incoming
from control.telephony.switchboard import Line, Switchboard

__all__ = ["Taken", "take_call"]


async def take_call(
    services: Services, switchboard: Switchboard, line: Line, incoming: Incoming, *, until: float | None = None
) -> Taken | Refused:
    """Return the session of a call: the one that it has already, or a new one by its route.

    Raises:
        BeingTaken: it takes longer than ``until``, in the loop's time, or another webhook has the same call taken: it
            goes on, and the carrier may ask again.
        SessionAlreadyActive, SessionNotActive: the call has had its caller; who sends its webhook again gets nothing.
        VoiceBackendError: a setting of ours is wrong, or Redis is not there.

    """
    register = CallRegister(services.state, services.keys, trunk=line.name, call_id=incoming.call_id)

    async def take() -> Taken | Refused:
        return await place(services, line, incoming, switchboard.routes)

    return await taken_once(services, register, line.tenant, take, until=until)

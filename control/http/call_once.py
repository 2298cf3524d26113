"""A telephone call that is told of more than once: it gets one session, and everybody who asks is told of that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from control.http.call_placing import NO_ROOM, Taken
from control.http.call_session import end
from control.http.finished_by import finished_by
from control.services import Services
from control.telephony.call_register import BeingTaken, CallRegister, Claim, Given, Refused
from voicebackend._redis import redis_errors
from voicebackend.errors import (
    SessionAlreadyActive,
    SessionNotActive,
    SessionNotFound,
    VoiceBackendError,
)
from voicebackend.session import SessionState, is_over

_OP = "incoming_call"
_BEFORE_CALLER = frozenset({SessionState.PENDING, SessionState.STARTING, SessionState.READY})


async def taken_once(
    services: Services,
    register: CallRegister,
    tenant: str,
    take: Callable[[], Awaitable[Taken | Refused]],
    *,
    until: float | None = None,
) -> Taken | Refused:
    """Return what became of a call: what was answered before, or what ``take`` says now.

    What is not done by ``until``, in the loop's time, goes on, and who asks again is told what came of it. It refuses
    the call then where it fails: nobody is there any more to be told of an error.

    Raises:
        BeingTaken: the call is still being taken, for this webhook or another: the carrier may ask again.
        SessionAlreadyActive, SessionNotActive: the call has had its caller; who sends its webhook again gets nothing.
        VoiceBackendError: what ``take`` raises, or Redis is not there.

    """
    claim = await register.claim(None if until is None else until - asyncio.get_running_loop().time())
    if isinstance(claim, Given):
        return await _again(services, tenant, claim.session)
    if isinstance(claim, Refused):
        return claim
    if until is None:
        return await _taken(services, register, claim, take)
    work = _taken(services, register, claim, take, until=until)
    taking = await finished_by(services.background, until, work, name="call being taken")
    if taking is None:
        raise BeingTaken
    return taking.result()


async def _taken(
    services: Services,
    register: CallRegister,
    claim: Claim,
    take: Callable[[], Awaitable[Taken | Refused]],
    *,
    until: float | None = None,
) -> Taken | Refused:
    """Take a call and write down what came of it; where it fails others may try, unless that is after ``until``."""
    try:
        answer = await take()
    except BaseException as error:
        late = until is not None and asyncio.get_running_loop().time() >= until
        with suppress(VoiceBackendError):  # it lapses by itself; what is told is what went wrong first
            if late and isinstance(error, Exception):
                await register.settle(claim, Refused(NO_ROOM))
            else:
                await register.drop(claim)
        raise
    await _settle(services, register, claim, answer)
    return answer


async def _settle(services: Services, register: CallRegister, claim: Claim, answer: Taken | Refused) -> None:
    """Write the answer down; a session of which nobody would know is ended."""
    settled = False
    try:
        settled = await register.settle(claim, Given(answer.session) if isinstance(answer, Taken) else answer)
    finally:
        if not settled and isinstance(answer, Taken):
            await end(services, answer.session)
    if not settled:
        raise BeingTaken("the call was not taken in time: ask again")


async def _again(services: Services, tenant: str, session: str) -> Taken:
    """Return the session of a call that was told of before, if it still waits for its caller."""
    try:
        record = await services.store.get(session, tenant)
    except SessionNotFound as error:
        raise SessionNotActive(_OP, "the call is over") from error
    if is_over(record.state):
        raise SessionNotActive(_OP, "the call is over")
    with redis_errors(_OP):
        joined = await services.state.exists(services.keys.resume(record.id))
    if joined or record.state not in _BEFORE_CALLER:
        raise SessionAlreadyActive(_OP, "the call has its caller already")
    return Taken(record.id, record.tenant)

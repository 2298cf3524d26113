"""Creating a session, step by step: every check first, then record and slot at once, then the word to its lane."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from types import NoneType

from control.access.auth import Principal
from control.http.telephony import route
from control.services import Services
from control.sessions.admission import admit, check_metadata
from control.sessions.slot_request import RETRY_AFTER_S
from control.sessions.start import start_of
from control.sessions.workers import WorkerInfo
from voicebackend.errors import (
    OperationTimeout,
    RateLimitExceeded,
    SessionNotActive,
    from_code,
)
from voicebackend.hooks import HookFailed, RateLimiter, ask
from voicebackend.record import SessionRecord
from voicebackend.session import SessionRequest, SessionState, Transport
from voicebackend.telemetry import inject

OPERATION = "sessions.create"


async def create_session(
    services: Services, principal: Principal, request: SessionRequest, *, limit_wait_s: float = 0.0
) -> SessionRecord:
    """Check a request, record the session with its slot and have it started; return its record.

    One that finds no slot is refused, or waits for one if the request asks for that.

    A start that does not arrive, for Redis or this process is gone, is repeated by the reconciler.

    Where the rate limiter says no, it is waited for up to ``limit_wait_s`` seconds and asked once more.

    Raises:
        VoiceBackendError: it cannot be had, and nothing is left behind.

    """
    check_metadata(request.metadata)
    await _limit(services, principal, limit_wait_s)
    record, workers = await _checked(services, principal, request)
    limits, max_wait_s = services.deployment.limits, request.queue.max_wait if request.queue else 0.0
    record = await services.placement.admit(record, workers, limits, max_wait_s=max_wait_s)
    if record.is_queued:
        return await services.queue.joined(record)
    services.sender.send(services.keys.lane(record.lane), start_of(record))
    return record


async def _limit(services: Services, principal: Principal, wait_s: float) -> None:
    limiter = services.hooks.find("rate_limiter")
    if limiter is None:
        return
    key = f"{principal.tenant}:{principal.user_id}:{OPERATION}"
    try:
        allowed = await ask(lambda: limiter.allow(key), hook="rate_limiter.allow", expected=bool)
        if not allowed and wait_s and await _waited(limiter, key, wait_s):
            allowed = await ask(lambda: limiter.allow(key), hook="rate_limiter.allow", expected=bool)
    except HookFailed as error:
        message = "the rate limit could not be checked: try again"
        raise RateLimitExceeded("create_session", message, retry_after=RETRY_AFTER_S) from error
    if not allowed:
        raise RateLimitExceeded("create_session", retry_after=RETRY_AFTER_S)


async def _waited(limiter: RateLimiter, key: str, wait_s: float) -> bool:
    """Return whether the rate limiter lets its caller go on in time; raises HookFailed if it fails."""
    try:
        async with asyncio.timeout(wait_s):
            await ask(lambda: limiter.wait(key), hook="rate_limiter.wait", expected=NoneType, timeout_s=2 * wait_s)
    except TimeoutError:  # that the limit lasts is no failure of the hook
        return False
    return True


async def _checked(
    services: Services, principal: Principal, request: SessionRequest
) -> tuple[SessionRecord, Sequence[WorkerInfo]]:
    """Return the record of a session that may start, and the workers that could run it."""
    config, provider = services.live.current, request.provider or services.live.current.provider
    if request.transport is Transport.TELEPHONY:
        call = await route(services.hooks.find("telephony_hook"), request.metadata)
        check_metadata(call.metadata)
        request, provider = request.model_copy(update={"metadata": call.metadata}), call.provider or provider
    admission = admit(request, provider, config, await services.workers.now())
    record = SessionRecord(
        id=secrets.token_hex(16),
        tenant=principal.tenant,
        user_id=request.user_id,
        provider=admission.provider,
        transport=request.transport,
        pipeline_type=admission.pipeline_type,
        agent=admission.agent,
        connection_url=request.connection_url or "",
        metadata=dict(request.metadata),
        conversation=dict(request.conversation),
        memory_config=dict(request.memory_config),
        orchestration_config=dict(request.orchestration_config),
        rag_config=dict(request.rag_config),
        created_at=time.time(),
        traceparent=inject(),
    )
    return record, admission.workers


async def wait_for_ready(services: Services, record: SessionRecord, timeout_s: float) -> SessionRecord:
    """Return the record once the session is ready, or as it is when time is up.

    Raises:
        VoiceBackendError: it failed; the error is that of the reason given.

    """
    wanted = {SessionState.READY, SessionState.ACTIVE}
    try:
        record = await services.logs.wait_until(record.id, wanted, timeout_s)
    except OperationTimeout:
        return await services.store.get(record.id)
    if record.state is SessionState.ENDED:
        raise SessionNotActive("create_session", "the session was ended", details={"reason": record.reason})
    if record.state is SessionState.FAILED:
        raise from_code(record.reason, "create_session", retry_after=RETRY_AFTER_S, details={"session": record.id})
    return record

"""Creating a session, step by step: every check first, then record and slot at once, then the word to its lane."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from types import NoneType
from typing import Any

from control.access.principal import Principal
from control.http.doer import doer
from control.http.telephony import routed
from control.orchestration import announce
from control.records.handlers import snapshot
from control.services import Services
from control.session_services import SessionServices
from control.sessions.admission import admit, check_metadata
from control.sessions.consents import statement
from control.sessions.slot_request import RETRY_AFTER_S
from control.sessions.start import start_of
from control.sessions.workers import WorkerInfo
from voicebackend._redis import redis_errors
from voicebackend.errors import (
    OperationTimeout,
    RateLimitExceeded,
    SessionNotActive,
    from_code,
)
from voicebackend.hooks import HookFailed, RateLimiter, ask
from voicebackend.record import SessionRecord
from voicebackend.session import SessionRequest, SessionState, Transport
from voicebackend.tracing import inject, note
from voicebackend.webhooks import EventType

OPERATION = "sessions.create"


async def create_session(
    services: SessionServices,
    principal: Principal,
    request: SessionRequest,
    *,
    limit_wait_s: float = 0.0,
    routed_as: str = "",
    session_id: str = "",
) -> SessionRecord:
    """Check a request, record the session with its slot and have it started; return its record.

    ``routed_as`` is the id of a session whose call was routed before, so that the TelephonyHook is not asked again;
    ``session_id`` that of one whose id was chosen by whoever asks.

    One that finds no slot is refused, or waits for one if the request asks for that.

    A start that does not arrive, for Redis or this process is gone, is repeated by the reconciler.

    Where the rate limiter says no, it is waited for up to ``limit_wait_s`` seconds and asked once more.

    Raises:
        VoiceBackendError: it cannot be had, and nothing is left behind.

    """
    check_metadata(request.metadata)
    await _limit(services, principal, limit_wait_s)
    record, workers = await _checked(services, principal, request, routed_as)
    record = replace(record, id=session_id or record.id)
    note(**record.whose)
    record = await _with_rules(services, record, workers)
    limits, max_wait_s = services.deployment.limits, request.queue.max_wait if request.queue else 0.0
    record = await services.placement.admit(record, workers, limits, max_wait_s=max_wait_s)
    if record.is_queued:
        return await services.queue.joined(record)
    services.sender.send(services.keys.lane(record.lane), start_of(record))
    await announce(services.publisher, services.live.current, record, "session_started")
    await services.outbox.put_or_log(EventType.SESSION_STARTED, tenant=record.tenant, session=record.id)
    return record


async def _with_rules(services: SessionServices, record: SessionRecord, able: Sequence[WorkerInfo]) -> SessionRecord:
    """Return the record with what may be kept of the session, and who handles it; from here on that is waited for."""
    if services.cabinet is None:
        return record
    with redis_errors("create_session"):
        await services.state.zadd(services.keys.records_pending(), {record.id: record.created_at})
    told = able[0].providers.get(record.provider, {}) if able else {}
    own = bool(told.get("capabilities", {}).get("own_pipeline"))
    handlers = snapshot(services.live.current, record, own_pipeline=own)
    return replace(record, retention=services.cabinet.rules_for(record), handlers=handlers)


async def _limit(services: SessionServices, principal: Principal, wait_s: float) -> None:
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
    services: SessionServices, principal: Principal, request: SessionRequest, routed_as: str
) -> tuple[SessionRecord, Sequence[WorkerInfo]]:
    """Return the record of a session that may start, and the workers that could run it."""
    config = services.live.current
    if request.transport is Transport.TELEPHONY and not routed_as:
        request = await routed(services, principal.tenant, request)
        check_metadata(request.metadata)
    admission = admit(request, request.provider or config.provider, config, await services.workers.now())
    record = SessionRecord(
        id=routed_as or secrets.token_hex(16),
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
        consent=_agreed(services, principal, request),
        created_at=time.time(),
        traceparent=inject(),
        pseudonym=services.pseudonyms.of(principal.tenant, request.user_id),
    )
    return record, admission.workers


def _agreed(services: SessionServices, principal: Principal, request: SessionRequest) -> list[dict[str, Any]]:
    """Return what was agreed to before the session, as its record has it."""
    if request.consent is None:
        return []
    return [dict(statement(request.consent, by=doer(services, principal), at=time.time()))]


async def wait_for_ready(services: Services, record: SessionRecord, timeout_s: float) -> SessionRecord:
    """Return the record once the session is ready, or as it is when time is up.

    Raises:
        VoiceBackendError: it failed; the error is that of the reason given.

    """
    wanted = {SessionState.READY, SessionState.ACTIVE}
    try:
        record = await services.logs.wait_until(record.id, wanted, timeout_s)
    except OperationTimeout:
        return await services.store.get(record.id, record.tenant)
    if record.state is SessionState.ENDED:
        raise SessionNotActive("create_session", "the session was ended", details={"reason": record.reason})
    if record.state is SessionState.FAILED:
        raise from_code(record.reason, "create_session", retry_after=RETRY_AFTER_S, details={"session": record.id})
    return record

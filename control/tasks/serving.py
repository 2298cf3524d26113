"""A slot has become free: whoever is next in the queue gets it, and is started."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from control.context import TaskContext
from control.orchestration import announce
from control.sessions.placement import able_workers
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend._redis import redis_errors
from voicebackend.errors import ProviderNotFound, VoiceBackendError
from voicebackend.tasks import SESSIONS_CREATE
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)


async def serve(shared: TaskContext, provider: str, workers: Iterable[WorkerInfo]) -> None:
    """Give those who wait for a provider what these workers have free, and have them started.

    One that has its slot and could not be handed on is started by the reconciler.
    """
    try:
        able = able_workers(workers, provider)
    except ProviderNotFound:
        return
    for session_id in await shared.queue.serve(provider, able):
        await shared.publisher.publish(SESSIONS_CREATE, session_id=session_id)
        record = await shared.store.get(session_id)
        await announce(shared.publisher, shared.config, record, "session_started")
        await shared.outbox.put_or_log(EventType.SESSION_STARTED, tenant=record.tenant, session=session_id)


async def serve_next(shared: TaskContext, provider: str) -> None:
    """Serve a provider's queue if somebody waits in it; what fails is left to the next sweep."""
    try:
        with redis_errors("queue"):
            if not await shared.state.zcard(shared.keys.queue(provider)):
                return
        await serve(shared, provider, await announced_workers(shared.state, shared.keys))
    except VoiceBackendError as error:
        logger.warning("queue not served", extra={"provider": provider, "code": str(error.code)})

"""``sessions.queue``: scheduled; gives free slots to sessions that wait, tells each where it stands, ends the late."""

from __future__ import annotations

import logging

from control import context, loop
from control.context import TaskContext
from control.sessions.workers import announced_workers
from control.tasks.ending import end_session
from control.tasks.serving import serve
from voicebackend._redis import redis_errors
from voicebackend.errors import ErrorCode
from voicebackend.session import SessionState

logger = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""Seconds for one sweep."""


def sweep() -> None:
    """Look after every queue."""
    loop.run(_sweep(context.current()), TIMEOUT_S)


async def _sweep(shared: TaskContext) -> None:
    workers = await announced_workers(shared.state, shared.keys)
    for provider in await _waited_for(shared, {name for worker in workers for name in worker.providers}):
        await serve(shared, provider, workers)
        for session_id in await shared.queue.tell_positions(provider):
            logger.info("waited in vain", extra={"session_id": session_id, "provider": provider})
            await end_session(shared, session_id, SessionState.FAILED, ErrorCode.SESSION_LIMIT_EXCEEDED)


async def _waited_for(shared: TaskContext, providers: set[str]) -> list[str]:
    """Return the providers that somebody waits for."""
    names = sorted(providers)
    pipe = shared.state.pipeline(transaction=False)
    for name in names:
        pipe.zcard(shared.keys.queue(name))
    with redis_errors("queue"):
        counts = await pipe.execute() if names else []
    return [name for name, count in zip(names, counts, strict=True) if count]

"""``agents.event``: tell the configured orchestrator, once, what happened in a session; and webhooks, of turns."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from control import context, loop
from control.agents.turn_state import Attempt, was_meant
from control.context import TaskContext
from voicebackend._redis import redis_errors
from voicebackend.agents import SPECULATION_S
from voicebackend.errors import SessionNotFound
from voicebackend.frameworks.orchestrator import SessionEvent
from voicebackend.record import ENDED_TTL_S
from voicebackend.session_parts import EventName, OrchestrationConfig
from voicebackend.webhooks import EventType

TELL_S = 20.0
"""Seconds that an orchestrator has for an event."""


def event(session_id: str, event: EventName, turn: int, attempt: int) -> None:
    """Tell of an event; one whose telling failed is told again, one that was told is not.

    An attempt at a turn is waited for until it is known whether the caller had finished: else it was no turn.
    """
    loop.run(_event(context.current(), session_id, event, turn, attempt), SPECULATION_S + TELL_S)


async def _event(shared: TaskContext, session_id: str, event: EventName, turn: int, attempt: int) -> None:
    try:
        async with asyncio.timeout(SPECULATION_S):
            state = Attempt(key=shared.keys.turn(session_id, turn), number=attempt)
            if attempt and not await was_meant(shared.state_wire, state):
                return
    except TimeoutError:
        return
    await _tell(shared, session_id, event, turn)


async def _tell(shared: TaskContext, session_id: str, event: EventName, turn: int) -> None:
    await shared.refresh()
    orchestrator = shared.parts.find("orchestrator")
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        return
    if event == "turn":
        about: dict[str, Any] = {"about": str(turn), "data": {"turn": turn}}
        await shared.outbox.put(EventType.TURN_COMPLETED, tenant=record.tenant, session=record.id, **about)
    if orchestrator is None or event not in OrchestrationConfig.model_validate(record.orchestration_config).events:
        return
    told = SessionEvent(
        name=event,
        session_id=session_id,
        tenant=record.tenant,
        user_id=record.user_id,
        turn=turn,
        reason=record.reason if event == "session_ended" else "",
    )
    await _tell_once(shared, orchestrator, told)


async def _tell_once(shared: TaskContext, orchestrator: Any, told: SessionEvent) -> None:
    """Tell the orchestrator, unless that was done; what failed is not."""
    key, field = shared.keys.turn(told.session_id, told.turn), f"told:{told.name}"
    with redis_errors("event"):
        fresh: Any = await shared.state.hsetnx(key, field, "1")
        await shared.state.expire(key, ENDED_TTL_S)
    if not fresh:
        return
    try:
        await orchestrator.tell(dataclasses.asdict(told))
    except BaseException:
        with redis_errors("event"):
            await shared.state.hdel(key, field)
        raise

"""Who speaks in a call that we make: seen to before anybody is rung up, so that nobody answers to silence."""

from __future__ import annotations

import logging
import time

from control.context import TaskContext
from control.sessions.admission import free_slots
from control.sessions.placement import able_workers
from control.sessions.slot_request import RETRY_AFTER_S
from control.sessions.workers import announced_workers
from control.tasks.call_rooms import close_room, open_room
from control.telephony.outbound import plan
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.line import OutboundLine
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionLimitExceeded, VoiceBackendError
from voicebackend.streams import Frame, Kind, json_payload

logger = logging.getLogger(__name__)

REMEMBER_S = 3600
"""Seconds for which it is known that a machine was left its message."""
REASON = "machine"
"""Why such a session ends."""
_OP = "dial"


class TaskSpeakers:
    """Sessions of calls, seen to by a process that runs tasks."""

    def __init__(self, shared: TaskContext) -> None:
        self._shared = shared

    async def ready(self, call: OutboundCall, line: OutboundLine) -> str:
        """Return once somebody can speak: the session of the next attempt where its party joins a room, else empty.

        Raises:
            SessionLimitExceeded: there is no room now.
            VoiceBackendError: it cannot be had.

        """
        if line.carrier.joins_room:
            return await open_room(self._shared, line, plan.begun(call, time.time()) or call)
        if line.kind != "mock":  # it reaches nobody who would hear anything
            await self._room_for(call)
        return ""

    async def leave_message(self, call: OutboundCall) -> None:
        """Have the session of the attempt that lasts say the call's message to a machine, once, and end."""
        shared, attempt = self._shared, call.attempts[-1]
        mark = shared.keys.webhook(f"machine:{call.id}:{attempt.number}")
        with redis_errors(_OP):
            if not await shared.state.set(mark, b"", nx=True, ex=REMEMBER_S):
                return
        logger.info("machine answered: leaving a message", extra={"call": call.id, "session_id": attempt.session})
        payload = json_payload({"text": call.request.message or "", "end": REASON})
        frame = Frame(session=attempt.session, kind=Kind.SAY, payload=payload, time_ms=round(time.time() * 1000))
        try:
            record = await shared.store.get(attempt.session)
            await shared.tell_lane(record.lane, frame)
        except VoiceBackendError:
            with redis_errors(_OP):
                await shared.state.delete(mark)  # it was not said: the next look tries again
            raise

    async def release(self, session: str) -> None:
        """Have a session ended in whose room nobody is, or will be."""
        await close_room(self._shared, session)

    async def _room_for(self, call: OutboundCall) -> None:
        shared = self._shared
        workers = await announced_workers(shared.state, shared.keys)
        if not workers:
            raise SessionLimitExceeded(_OP, "no worker is running: start one", retry_after=RETRY_AFTER_S)
        free = free_slots(able_workers(workers, call.request.provider or shared.config.provider))
        if free is not None and free <= 0:
            raise SessionLimitExceeded(_OP, retry_after=RETRY_AFTER_S)

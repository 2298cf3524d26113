"""What a session leaves in Redis about itself: its state, in the log and for the record; at its end, a free slot."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from redis.exceptions import RedisError

from voicebackend.errors import VoiceBackendError
from voicebackend.events import Ended
from voicebackend.session import SessionState
from voicebackend.tasks import SESSIONS_REPORT
from voicebackend.tracing import error_code
from worker.lane import Lane
from worker.services import Services
from worker.session_log import SessionLog
from worker.session_state import note_state

logger = logging.getLogger(__name__)


class Books:
    """One session's."""

    def __init__(self, session: str, log: SessionLog, services: Services, lane: Lane) -> None:
        self._session, self._log, self._services, self._lane = session, log, services, lane

    async def ready(self) -> None:
        """Say that it listens; raises ConnectionFailed."""
        await self._note_state(SessionState.READY)

    async def state(self, state: SessionState) -> None:
        """Say in which state it is now, if that is possible."""
        await self.note(self._note_state(state))

    async def note(self, writing: Awaitable[None]) -> None:
        """Write to the log if that is possible now: a Redis that is away for a moment does not end a call."""
        try:
            await writing
        except VoiceBackendError as error:
            logger.warning("log not written", extra={"session_id": self._session, "error_code": str(error.code)})

    async def close(self, state: SessionState, reason: str) -> None:
        """Free the slot, then tell; a Redis that is not there now is for the reaper to mend."""
        keys = self._services.keys
        try:
            await self._services.state.srem(keys.lane_sessions(self._lane.number), self._session)
            await self._log.session(state, reason=reason)
            await self._log.event(Ended(reason=reason))
            await self._report(state, reason)
        except (VoiceBackendError, RedisError, OSError) as error:
            logger.warning("end not written", extra={"session_id": self._session, "error_code": error_code(error)})

    async def _note_state(self, state: SessionState) -> None:
        services = self._services
        await note_state(services.wire, services.keys, self._session, state, self._lane.epoch)

    async def _report(self, state: SessionState, reason: str) -> None:
        try:
            await self._services.publisher.publish(
                SESSIONS_REPORT, session_id=self._session, state=str(state), epoch=self._lane.epoch, reason=reason
            )
        except VoiceBackendError:
            logger.warning("state not reported", extra={"session_id": self._session, "state": str(state)})

"""Handing a call over to a person: who may be called for that, how it is begun, and whether the call may come back."""

from __future__ import annotations

import logging
from typing import Any, cast

from redis.asyncio import Redis

from control.telephony.outbound.line import HandoverLine
from control.telephony.outbound_lines import OutboundLines
from control.telephony.streams.away_socket import Handover
from voicebackend._redis import redis_errors
from voicebackend.errors import AuthorizationFailed, InvalidConfig, SessionNotActive
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.rooms import room_of
from voicebackend.session import SessionState

logger = logging.getLogger(__name__)

AWAY_S = 50
"""Seconds within which a call comes back, if it does: as long as it rings, and what that takes around it."""
SORRY = "I am sorry, nobody could take the call."
"""What the caller is told who comes back."""
_OP = "transfer"
_STANDING, _SORRY = "standing", "sorry"
_THERE = frozenset({SessionState.READY, SessionState.ACTIVE})


class CallHandover:
    """Hands calls over; ``redis`` is the ``state`` role, ``base_url`` is where carriers reach us."""

    def __init__(self, redis: Redis, keys: Keys, lines: OutboundLines, base_url: str) -> None:
        self._redis, self._keys, self._lines, self._base_url = redis, keys, lines, base_url

    def __repr__(self) -> str:
        return f"<CallHandover [{self._lines!r}]>"

    async def check(self, record: SessionRecord, to: str) -> HandoverLine:
        """Return the line by which a session's call may be handed over to this number.

        Raises:
            SessionNotActive: nobody is there to be handed over.
            InvalidConfig: it is no call by a trunk of its tenant that hands calls over.
            AuthorizationFailed: the number is not among the trunk's ``transfer_to``.

        """
        if record.state not in _THERE:
            raise SessionNotActive(_OP, f"the session is {record.state}", details={"state": str(record.state)})
        trunk = record.metadata.get("trunk")
        line = await self._lines.handover(trunk) if isinstance(trunk, str) else None
        if line is None or line.tenant != record.tenant or not _call_of(record, line):
            message = "transfer: only a call by a trunk that has transfer_to can be handed over"
            raise InvalidConfig(_OP, message, details={"field": "transfer_to"})
        if to not in line.to:
            message = f"to: not among the numbers of trunks.{line.name}.transfer_to"
            raise AuthorizationFailed(_OP, message, details={"field": "to"})
        return line

    async def begin(self, record: SessionRecord, to: str, *, sorry: str = SORRY) -> None:
        """Hand a call over; ``sorry`` is what the caller is told if nobody takes it. The call goes on where this fails.

        Raises:
            VoiceBackendError: as ``check``, or the carrier refuses.

        """
        line = await self.check(record, to)
        key = self._keys.handover(record.id)
        await self._write(key, {_STANDING: Handover.AWAY, _SORRY: sorry})
        back_url = f"{self._base_url}/v1/telephony/{line.name}/sessions/{record.id}/back"
        try:
            await line.carrier.transfer(_call_of(record, line), to, back_url=back_url)
        except BaseException:
            with redis_errors(_OP):
                await self._redis.delete(key)
            raise
        logger.info("call handed over", extra={"session_id": record.id, "trunk": line.name})

    async def standing(self, session: str) -> Handover:
        """Return how far a session's call is that may be handed over; raises ConnectionFailed without Redis."""
        with redis_errors(_OP):
            found: Any = await cast("Any", self._redis.hget(self._keys.handover(session), _STANDING))
        return Handover((found or b"").decode())

    async def over(self, session: str) -> None:
        """Expect the call back no more."""
        with redis_errors(_OP):
            await self._redis.delete(self._keys.handover(session))

    async def back(self, session: str) -> str | None:
        """Note that the call comes back, and return what its caller is told; None if it was not expected any more."""
        key = self._keys.handover(session)
        with redis_errors(_OP):
            found: Any = await cast("Any", self._redis.hget(key, _SORRY))
        if found is None:
            return None
        await self._write(key, {_STANDING: Handover.BACK})
        return str(found.decode())

    async def _write(self, key: str, fields: dict[str, str]) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(key, mapping=cast("Any", fields))
        pipe.expire(key, AWAY_S)
        with redis_errors(_OP):
            await pipe.execute()


def _call_of(record: SessionRecord, line: HandoverLine) -> str:
    """Return the carrier's id of a session's call; empty where it has none."""
    if line.room_name:
        return room_of(line.room_name, record.id)
    known = record.metadata.get("call_id")
    return known if isinstance(known, str) else ""

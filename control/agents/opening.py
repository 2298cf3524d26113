"""What a turn's task asks Redis before it begins, in one round trip: the caller waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from control.agents.memory import MAX_ENTRIES
from control.agents.turn_state import CLAIM, Attempt, Claim
from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.agents import HistoryEntry, spoken
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import ENDED_TTL_S, SessionRecord, decode_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Whether an attempt may answer, for which session, and what was said in it before."""

    claim: Claim
    record: SessionRecord
    memory: list[HistoryEntry]


async def open_turn(state: Wire, keys: Keys, session_id: str, attempt: Attempt) -> Opening:
    """Take the attempt for this delivery of its task, and read what its agent is given.

    Raises:
        ConnectionFailed: Redis is not there.
        SessionNotFound: the session is gone.

    """
    with redis_errors("open_turn"):
        claimed, record, entries = await state.execute(
            ("EVAL", CLAIM, 1, attempt.key, attempt.number, ENDED_TTL_S),
            ("HGETALL", keys.session(session_id)),
            ("XREVRANGE", keys.session_log(session_id), "+", "-", "COUNT", MAX_ENTRIES),
        )
    if not record:
        raise SessionNotFound("open_turn")
    return Opening(
        claim=Claim.of(claimed, attempt),
        record=SessionRecord.from_fields(_pairs(record)),
        memory=spoken(decode_log(_pairs(fields)) for _, fields in reversed(entries)),
    )


def _pairs(flat: list[bytes]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))

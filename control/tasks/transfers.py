"""``telephony.transfer``: hand a caller over as the agent wished, once its words were heard."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, cast

from control import context, loop
from control.context import TaskContext
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotFound, VoiceBackendError
from voicebackend.record import SessionRecord, decode_log
from voicebackend.session import is_over
from voicebackend.streams import Frame, Kind, json_payload

logger = logging.getLogger(__name__)

HEARD_S = 20.0
"""Seconds in which the agent's words must have been heard; a caller who is told more hears the rest of the call."""
TRANSFER_S = 24.0
"""Seconds that a carrier may take that keeps the call until somebody has answered."""
LOOK_S = 0.1
_LATEST = 20
"""Entries of a session's log, newest first, among which the turn's is looked for."""


def transfer(session_id: str, turn: int, spoken: int) -> None:
    """Hand the session's caller over; ``spoken`` is 0 if the turn said nothing. Run twice it is done once."""
    loop.run(_transfer(context.current(), session_id, turn, spoken), HEARD_S + TRANSFER_S)


async def _transfer(shared: TaskContext, session_id: str, turn: int, spoken: int) -> None:
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        return
    heard = not spoken or await _heard(shared, record, turn)
    wish = await _take(shared, session_id, turn)
    if wish is None or not heard:
        logger.info("caller stays", extra={"session_id": session_id, "turn": turn})
        return
    try:
        record = await shared.store.get(session_id)
        await shared.handover.begin(record, wish["to"], sorry=wish["sorry"])
    except VoiceBackendError as error:
        logger.warning("call not handed over", extra={"session_id": session_id, "error_code": str(error.code)})
        await _say(shared, record, wish["sorry"])


async def _heard(shared: TaskContext, record: SessionRecord, turn: int) -> bool:
    """Tell whether all of the turn was heard; False if the caller interrupted, or the session is over before."""
    try:
        async with asyncio.timeout(HEARD_S):
            while True:
                heard = await _heard_by_now(shared, record.id, turn)
                if heard is not None:
                    return heard
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        return not is_over((await shared.store.get(record.id)).state)


async def _heard_by_now(shared: TaskContext, session_id: str, turn: int) -> bool | None:
    """Tell from the session's log whether all of the turn was heard; None while it does not say."""
    with redis_errors("transfer"):
        entries: Any = await shared.state.xrevrange(shared.keys.session_log(session_id), count=_LATEST)
    for entry in (decode_log(fields) for _, fields in entries):
        if entry["type"] == "ended":
            return False
        if _is_end_of(entry, turn):
            return not entry.get("interrupted")
    return None


def _is_end_of(entry: dict[str, Any], turn: int) -> bool:
    is_agents = entry["type"] == "transcript" and entry.get("role") == "agent"
    return bool(is_agents and entry.get("final") and entry.get("turn") == turn)


async def _take(shared: TaskContext, session_id: str, turn: int) -> dict[str, str] | None:
    """Take the wish; None if it is another turn's, or somebody else has it."""
    key = shared.keys.handover_wish(session_id)
    with redis_errors("transfer"):
        found: Any = await cast("Any", shared.state.hgetall(key))
        mine = int(found.get(b"turn", 0)) == turn and await shared.state.delete(key)
    return {name.decode(): value.decode() for name, value in found.items()} if mine else None


async def _say(shared: TaskContext, record: SessionRecord, text: str) -> None:
    payload = json_payload({"text": text, "end": ""})
    frame = Frame(session=record.id, kind=Kind.SAY, payload=payload, time_ms=round(time.time() * 1000))
    await shared.tell_lane(record.lane, frame)

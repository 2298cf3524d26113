"""Asking a session's worker to go on with another provider, and waiting for what comes of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import aclosing

from control.services import Services
from voicebackend.errors import OperationTimeout, SessionNotActive
from voicebackend.events import Swapped
from voicebackend.record import SessionRecord
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.swap import SwapRequest

ANSWER_S = 12.0
"""Seconds that a worker has: more than the other pipeline has to be there."""


async def swap_session(services: Services, record: SessionRecord, wanted: SwapRequest) -> Swapped:
    """Have a session swapped; return what came of it, which may be that everything stays as it was.

    Raises:
        OperationTimeout: nobody answered in time; it may still happen.
        SessionNotActive: it ended meanwhile.

    """
    asked = secrets.token_hex(8)
    after = await services.logs.last_id(record.id)
    payload = json_payload({"id": asked, **wanted.model_dump(mode="json", exclude_none=True)})
    frame = Frame(session=record.id, kind=Kind.SWAP, payload=payload, time_ms=round(time.time() * 1000))
    services.sender.send(services.keys.lane(record.lane), frame)
    try:
        async with asyncio.timeout(ANSWER_S):
            return await _answer(services, record, asked, after)
    except TimeoutError as error:
        raise OperationTimeout("swap", "the session's worker did not answer in time") from error


async def _answer(services: Services, record: SessionRecord, asked: str, after: str) -> Swapped:
    async with aclosing(services.logs.follow(record.id, after=after)) as entries:
        async for found in entries:
            entry = dict(found[1]) if found else {}
            if entry.get("type") == "swapped" and entry.pop("id", "") == asked:
                return Swapped.model_validate(entry)
    raise SessionNotActive("swap", "the session ended meanwhile")

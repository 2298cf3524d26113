"""What an agent tells of its work beside its words, on its way into the session's log: tools, what models used.

Tools are written only where a policy keeps them. In sensitive mode, and of a turn that asked for sensitive keys or was
given them, neither what a tool was asked nor what it answered is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from control.records.data_class import DataClass
from control.records.policy import restored
from voicebackend._redis import redis_errors
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.record import LOG_FIELD, LOG_MAX_ENTRIES, SessionRecord, encode_log
from voicebackend.turn_notes import TOOL, Note

logger = logging.getLogger(__name__)

MAX_NOTES = 200
"""Of one attempt at a turn; what comes beyond is left out."""
FLUSH_S = 1.0
"""Seconds that the last of them have to be written."""
_WRITE = """
-- KEYS log, masked
-- ARGV log field, entry, the entry without what was said, most log entries
local entry = redis.call('EXISTS', KEYS[2]) == 1 and ARGV[3] or ARGV[2]
return redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[4], '*', ARGV[1], entry)
"""


class TurnNotes:
    """One attempt's; ``take`` is called in the event loop, as a context they are written beside the answer."""

    def __init__(self, redis: Redis, keys: Keys, record: SessionRecord, *, turn: int, attempt: int) -> None:
        self._redis, self._keys, self._session = redis, keys, record.id
        self._about = {"turn": turn, "attempt": attempt}
        self._keeps_tools = restored(record.retention, DataClass.TOOL_IO).ttl_s > 0
        self._taken = 0
        self._waiting: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self.sensitive = False
        """What tools are asked and answer is left out from now on."""

    async def __aenter__(self) -> TurnNotes:
        self._writer = asyncio.create_task(self._write(), name="turn-notes")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._writer is not None  # noqa: S101 - entered before
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._waiting.join()
        except TimeoutError:
            logger.warning("turn's notes not written", extra={"session_id": self._session})
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    def take(self, note: Note) -> None:
        """Have one written, if it is to be kept."""
        if (note["type"] == TOOL and not self._keeps_tools) or self._taken >= MAX_NOTES:
            return
        entry = {**note, **self._about, "number": self._taken}
        self._taken += 1
        masked = _masked(entry)
        self._waiting.put_nowait((_encoded(masked if self.sensitive else entry), _encoded(masked)))

    async def _write(self) -> None:
        while True:
            entry, masked = await self._waiting.get()
            try:
                with redis_errors("turn_notes"):
                    written: Any = (LOG_FIELD, entry, masked, str(LOG_MAX_ENTRIES))
                    keys = (self._keys.session_log(self._session), self._keys.masked(self._session))
                    await self._redis.eval(_WRITE, 2, *keys, *written)
            except VoiceBackendError as error:
                extra = {"session_id": self._session, "error_code": str(error.code)}
                logger.warning("turn's note not written", extra=extra)
            finally:
                self._waiting.task_done()


def _masked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a note without what was said in it."""
    if entry["type"] != TOOL:
        return entry
    return {**entry, "arguments": None, "result": None, "masked": True}


def _encoded(entry: Mapping[str, Any]) -> bytes:
    return encode_log(entry)[LOG_FIELD]

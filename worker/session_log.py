"""Appends to a session's log: what was said, by whom, in order. The agent's memory is read from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import chain
from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Message
from voicebackend.keys import Keys
from voicebackend.record import LOG_MAX_ENTRIES, decode_log, encode_log
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.session import SessionState
from voicebackend.streams import EntryId

TAIL = 1000
"""Entries that are read at once."""
INSIST_S = 6.0
"""Seconds for which an entry is tried that must not be missing: as long as audio waits for Redis."""
_AGAIN = RetryPolicy(max_retries=60, delay_s=0.1, max_delay_s=0.5)


class SessionLog:
    """One session's log; its record's owner created it, so a log that expired stays gone."""

    def __init__(self, state: Redis | Wire, keys: Keys, session: str) -> None:
        self._wire, self._key = Wire.over(state), keys.session_log(session)
        self.position = EntryId()
        """Of the last entry that we wrote or read."""

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry.

        Raises:
            ConnectionFailed: Redis is not there.

        """
        with redis_errors("session_log"):
            fields = chain.from_iterable(encode_log(entry).items())
            [added] = await self._wire.execute(
                ("XADD", self._key, "NOMKSTREAM", "MAXLEN", "~", LOG_MAX_ENTRIES, "*", *fields)
            )
        if added is not None:
            self.position = EntryId.parse(added)

    async def tail(self, after: EntryId) -> list[dict[str, Any]]:
        """Return what was appended after an entry, oldest first; ``TAIL`` entries at most.

        Raises:
            ConnectionFailed: Redis is not there.

        """
        with redis_errors("session_log"):
            [entries] = await self._wire.execute(("XRANGE", self._key, f"({after}", "+", "COUNT", TAIL))
        found = [(EntryId.parse(at), dict(zip(fields[::2], fields[1::2], strict=True))) for at, fields in entries]
        self.position = max([self.position, after, *(at for at, _ in found)])
        return [decode_log(fields) for _, fields in found]

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too, once, and for as long as that takes within INSIST_S.

        A try whose answer was lost may have written it all the same: it is looked for before it is written again.

        Raises:
            ConnectionFailed: Redis was not there for so long.

        """
        entry, before, tried = _told(message, extra), self.position, False

        async def write() -> None:
            nonlocal tried
            if tried and entry in await self.tail(before):
                return
            tried = True
            await self.append(entry)

        try:
            async with asyncio.timeout(INSIST_S):
                await retrying(_AGAIN, write)
        except TimeoutError as error:
            raise ConnectionFailed("session_log", "Redis did not answer in time") from error

    async def session(self, state: SessionState, **extra: Any) -> None:
        """Append a change of the session's state."""
        await self.append({"type": "session", "state": str(state), **extra})


def _told(message: Message, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {**message.model_dump(mode="json", exclude_none=True), **extra}

"""Reading a session's log as it grows: for server-sent events, and to wait until a session has come to a state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from control.sessions.store import SessionStore
from control.sessions.stream_limit import RETRY_S, StreamLimit
from voicebackend._redis import redis_errors
from voicebackend.errors import OperationTimeout, SessionLimitExceeded, SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord, decode_log
from voicebackend.session import SessionState, is_over

MAX_FOLLOWERS = 512
"""Logs followed at once by one process; each holds a connection."""
IDLE_S = 15.0
"""Seconds without an entry after which a follower hears that there was none."""
_BATCH = 100

Entry = tuple[str, dict[str, Any]]
"""An entry's id in the stream, and what it says."""


class SessionLogs:
    """Follows logs; ``blocking`` is a client of the ``state`` role without a socket timeout."""

    def __init__(self, blocking: Redis, store: SessionStore, keys: Keys) -> None:
        self._redis, self._store, self._keys = blocking, store, keys
        self._followers = 0
        self.streams = StreamLimit()
        """The followers that are event streams."""

    def __repr__(self) -> str:
        return f"<SessionLogs [{self._followers} followers]>"

    async def follow(
        self, session_id: str, *, after: str = "0", idle_s: float = IDLE_S
    ) -> AsyncGenerator[Entry | None]:
        """Yield the entries after this id and those to come, up to ``ended``; None after ``idle_s`` without any.

        Ends too when the record is over or gone and the log has nothing more to tell.

        Raises:
            SessionLimitExceeded: too many logs are followed already.

        """
        with self._counted():
            while True:
                entries = await self._read(session_id, after, idle_s)
                for after, entry in entries:  # noqa: PLR1704 - the next read starts after the last entry
                    yield after, entry
                    if entry["type"] == "ended":
                        return
                if not entries:
                    if await self._is_over(session_id):
                        return
                    yield None

    async def _read(self, session_id: str, after: str, idle_s: float) -> list[Entry]:
        with redis_errors("follow_log"):
            key = self._keys.session_log(session_id)
            reply: Any = await self._redis.xread(
                {key: after}, count=_BATCH, block=max(1, round(min(idle_s, IDLE_S) * 1000))
            )
        return [(name.decode(), decode_log(fields)) for _, entries in reply or () for name, fields in entries]

    async def _is_over(self, session_id: str) -> bool:
        try:
            return is_over((await self._store.get(session_id)).state)
        except SessionNotFound:
            return True

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._followers >= MAX_FOLLOWERS:
            raise SessionLimitExceeded("follow_log", "too many logs are followed here", retry_after=RETRY_S)
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def last_id(self, session_id: str) -> str:
        """Return the id of a log's last entry, ``0`` where there is none: what is written from now on comes after."""
        with redis_errors("read_log"):
            entries: Any = await self._redis.xrevrange(self._keys.session_log(session_id), count=1)
        return entries[0][0].decode() if entries else "0"

    async def wait_until(self, session_id: str, states: Collection[SessionState], timeout_s: float) -> SessionRecord:
        """Return the record once the session is in one of these states, or over.

        The log knows earlier than the record: the lane's holder writes it before it reports. State and reason are
        the log's then.

        Raises:
            OperationTimeout: it came to none of them in time.
            SessionNotFound: there is no such session.

        """
        record = await self._store.get(session_id)
        if record.state in states or is_over(record.state):
            return record
        try:
            async with asyncio.timeout(timeout_s), aclosing(self.follow(session_id, idle_s=timeout_s)) as entries:
                async for found in entries:
                    record = _moved(record, found)
                    if record.state in states or is_over(record.state):
                        return await self._fresh(record)
        except TimeoutError as error:
            raise OperationTimeout("wait", f"the session is still {record.state} after {timeout_s:g} s") from error
        return await self._store.get(session_id)

    async def _fresh(self, known: SessionRecord) -> SessionRecord:
        """Return the record as it is now, with the state and reason known from the log unless it is over itself."""
        record = await self._store.get(known.id)
        return record if is_over(record.state) else replace(record, state=known.state, reason=known.reason)


def _moved(record: SessionRecord, found: Entry | None) -> SessionRecord:
    """Return the record in the state that an entry of the log tells, if it tells one."""
    entry = found[1] if found else {}
    if entry.get("type") != "session":
        return record
    try:
        return replace(record, state=SessionState(str(entry.get("state"))), reason=str(entry.get("reason", "")))
    except ValueError:
        return record

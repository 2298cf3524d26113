"""Appends to a session's log: what was said, by whom, in order. The agent's memory is read from here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.agents import HistoryEntry, spoken
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Message, Transcript
from voicebackend.keys import Keys
from voicebackend.record import LOG_FIELD, LOG_MAX_ENTRIES, decode_log, encode_log
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.session import SessionState
from voicebackend.streams import EntryId
from worker.pipelines.meter import Meter

TAIL = 1000
"""Entries that are read at once."""
INSIST_S = 6.0
"""Seconds for which an entry is tried that must not be missing: as long as audio waits for Redis."""
_AGAIN = RetryPolicy(max_retries=60, delay_s=0.1, max_delay_s=0.5)
_APPEND = """
-- KEYS log, last epochs
-- ARGV lane, epoch, log field, log entry, most log entries
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') > tonumber(ARGV[2]) then return nil end
return redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[5], '*', ARGV[3], ARGV[4])
"""


_MASK = """
-- KEYS log, last epochs, masked
-- ARGV lane, epoch, milliseconds, log field, log entry, most log entries
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[6], '*', ARGV[4], ARGV[5])
if ARGV[3] == '0' then redis.call('DEL', KEYS[3]) else redis.call('SET', KEYS[3], '1', 'PX', ARGV[3]) end
return 1
"""


class Holder(Protocol):
    """Who writes: the lane that the session is pinned to, as this worker holds it."""

    @property
    def number(self) -> int:
        """The lane's number."""
        ...

    @property
    def epoch(self) -> int:
        """The epoch under which this worker holds it."""
        ...


class SessionLog:
    """One session's log; its record's owner created it, so a log that expired stays gone.

    What a worker writes that no longer holds the lane is left out: it may have slept while another went on.
    """

    def __init__(self, state: Redis | Wire, keys: Keys, session: str, holder: Holder) -> None:
        self._wire, self._key, self._epochs = Wire.over(state), keys.session_log(session), keys.last_epoch()
        self._masked = keys.masked(session)
        self._holder = holder
        self.position = EntryId()
        """Of the last entry that we wrote or read."""
        self.meter = Meter()
        """Counts what the session has used; what was said in a turn is logged with what was used by then."""

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry.

        Raises:
            ConnectionFailed: Redis is not there.

        """
        with redis_errors("session_log"):
            told = (self._holder.number, self._holder.epoch, LOG_FIELD, encode_log(entry)[LOG_FIELD], LOG_MAX_ENTRIES)
            [added] = await self._wire.execute(("EVAL", _APPEND, 2, self._key, self._epochs, *told))
        if added is not None:
            self.position = EntryId.parse(added)

    async def tail(self, after: EntryId) -> list[dict[str, Any]]:
        """Return what was appended after an entry, oldest first; ``TAIL`` entries at most.

        Raises:
            ConnectionFailed: Redis is not there.

        """
        with redis_errors("session_log"):
            [rows] = await self._wire.execute(("XRANGE", self._key, f"({after}", "+", "COUNT", TAIL))
        found = [(EntryId.parse(at), dict(zip(fields[::2], fields[1::2], strict=True))) for at, fields in rows]
        self.position = max([self.position, after, *(at for at, _ in found)])
        entries = [decode_log(fields) for _, fields in found]
        for entry in entries:
            self.meter.catch_up(entry.get("usage", {}))
        return entries

    async def history(self) -> list[HistoryEntry]:
        """Return what was said, oldest first, as far as the last ``TAIL`` entries tell; raises ConnectionFailed."""
        with redis_errors("session_log"):
            [entries] = await self._wire.execute(("XREVRANGE", self._key, "+", "-", "COUNT", TAIL))
        return spoken(decode_log(dict(zip(fields[::2], fields[1::2], strict=True))) for _, fields in reversed(entries))

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too, once, and for as long as that takes within INSIST_S.

        A try whose answer was lost may have written it all the same: it is looked for before it is written again.

        Raises:
            ConnectionFailed: Redis was not there for so long.

        """
        used = self._used if isinstance(message, Transcript) and message.final else {}
        entry, before, tried = _told(message, {**extra, **used}), self.position, False

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

    async def masked(self, seconds: float, turn: int, place: Mapping[str, int]) -> None:
        """Append that sensitive mode begins or, with 0 seconds, ends; keep a note of it for who opens the session next.

        ``place`` is where in the caller's audio; ``at`` tells the moment, in ms since the epoch. What is recorded of
        the caller between the two is to be silence. Raises ConnectionFailed.
        """
        at = round(time.time() * 1000)
        entry = encode_log({"type": "masked", "on": seconds > 0, "turn": turn, "at": at, **place})[LOG_FIELD]
        told = (self._holder.number, self._holder.epoch, round(seconds * 1000), LOG_FIELD, entry, LOG_MAX_ENTRIES)
        command = ("EVAL", _MASK, 3, self._key, self._epochs, self._masked, *told)

        async def write() -> None:
            with redis_errors("session_log"):
                await self._wire.execute(command)

        try:
            async with asyncio.timeout(INSIST_S):
                await retrying(_AGAIN, write)
        except TimeoutError as error:
            raise ConnectionFailed("session_log", "Redis did not answer in time") from error

    async def masked_for(self) -> float:
        """Return the seconds for which the session is in sensitive mode at most, 0 if not; raises ConnectionFailed."""
        with redis_errors("session_log"):
            [left_ms] = await self._wire.execute(("PTTL", self._masked))
        return max(0.0, int(left_ms) / 1000)

    async def session(self, state: SessionState, **extra: Any) -> None:
        """Append a change of the session's state."""
        await self.append({"type": "session", "state": str(state), **extra, **self._used})

    async def taken_over(self) -> None:
        """Append that another worker has the session now; raises ConnectionFailed."""
        await self.append({"type": "takeover", "epoch": self._holder.epoch})

    @property
    def _used(self) -> dict[str, Any]:
        totals = self.meter.totals
        return {"usage": totals} if totals else {}


def _told(message: Message, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {**message.model_dump(mode="json", exclude_none=True), **extra}

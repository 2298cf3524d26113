"""The index of all objects in Redis: what is due when, about whom, and held or not. Every change is one script.

Written before its object and forgotten after it, so that a crash leaves an entry without an object, which a sweep
clears, and never an object without an entry.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis

from control.records import index_scripts as scripts
from control.records.data_class import DataClass
from control.records.entry import Entry, Reason
from control.records.receipt import FIRST, Head, chained
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

LEASE_S = 15.0
"""Seconds after which what a sweep claimed and never finished is claimed by another."""
BATCH = 200
"""Objects in one script: Redis serves nobody else while it runs."""
GONE_S = 7 * 86_400
"""Seconds for which what was deleted cannot be written again: a recording may lie on some disk for a while."""
RECEIPTS_S = 366 * 86_400
"""Seconds for which the receipts of an erasure are listed under it; all are in the store for ever."""
AT_ONCE = 0.001
"""When something is due that is to go before all others, seconds since the epoch."""
MAX_TRIES = 100
"""Times that receipts are made anew because other sweeps wrote theirs first."""
_OP = "records"


class Begun(StrEnum):
    """Whether an object may be written."""

    BEGUN = "begun"
    KNOWN = "known"
    """It was begun before."""
    REFUSED = "refused"
    """It was deleted, or is of a session of somebody who was erased, or withdrew consent, since it began."""


class Fate(StrEnum):
    """What becomes of an object that is to be deleted, or held."""

    DUE = "due"
    HELD = "held"
    GONE = "gone"
    TOO_LATE = "too_late"
    """A sweep has claimed it: it may be gone from the store."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Objects that one sweep may delete, until its lease lapses."""

    claim: str
    entries: tuple[Entry, ...]
    looked: int
    """How many were looked at; those of them that a hold keeps are not among the entries. 0 when nothing is due."""


class Index:
    """``redis`` is the ``state`` role; every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._begin = redis.register_script(scripts.BEGIN)
        self._stored = redis.register_script(scripts.STORED)
        self._claim = redis.register_script(scripts.CLAIM)
        self._finalise = redis.register_script(scripts.FINALISE)
        self._sooner = redis.register_script(scripts.SOONER)
        self._release = redis.register_script(scripts.RELEASE)
        self._late = redis.register_script(scripts.LATE)

    async def begin(self, entry: Entry) -> Begun:
        """Note an object before it is written, if it may be."""
        keys = [self._keys.record(entry.id), self._keys.records_due(), self._keys.records_gone(entry.id)]
        keys.append(self._keys.records_withdrawn(entry.session, entry.data_class))
        keys.append(self._keys.records_of(entry.session))
        keys += [self._keys.records_about(entry.tenant, subject) for subject in entry.subjects]
        values = entry.to_fields()
        args = [entry.id, values["due"], values["began"], entry.tenant, entry.session, values["subjects"]]
        outlives = entry.data_class == DataClass.CONSENT  # who was erased may ask whether they had agreed
        args += [self._keys.records_holds("%s"), "" if outlives else self._keys.records_erased("%s", "%s")]
        args += [str(round(AT_ONCE * 1000)), Reason.ERASURE.value, Reason.WITHDRAWN.value]
        args += [str(round((entry.made or entry.began) * 1000)), *_flat(values)]
        with redis_errors(_OP):
            return Begun(cast("Any", await self._begin(keys, args)).decode())

    async def stored(self, id_: str, size: int, sha256: str) -> bool:
        """Note that an object is written; False if it is being deleted, or gone: then it must go from the store."""
        with redis_errors(_OP):
            return bool(await self._stored([self._keys.record(id_)], [size, sha256]))

    async def claim(self, *, most: int = BATCH, now: float = 0.0, lease_s: float = LEASE_S) -> Claimed:
        """Take up to ``most`` objects that are due; ``now`` of 0 is Redis' clock."""
        claim = secrets.token_hex(8)
        args: list[Any] = [round(now * 1000), most, round(lease_s * 1000), claim]
        args += [self._keys.record("%s"), self._keys.records_holds("%s")]
        with redis_errors(_OP):
            looked, found = cast("Any", await self._claim([self._keys.records_due(), self._keys.records_held()], args))
        return Claimed(claim, tuple(_entry(id_, row) for id_, row in found), looked)

    async def finalise(self, claimed: Claimed, at: float | None = None) -> int:
        """Write a receipt for each claimed object that is deleted now, and forget it; return how many there were.

        Others may have claimed some since, if the lease lapsed: those are theirs.
        """
        at = time.time() if at is None else at
        left, head = list(claimed.entries), await self.head()
        for _ in range(MAX_TRIES):
            if not left:
                return 0
            receipts = chained(left, head, at)
            args: list[Any] = [claimed.claim, head.hash if head.count else "", receipts[-1].number, receipts[-1].hash]
            args += [self._keys.record("%s"), self._keys.records_of("%s"), self._keys.records_about("%s", "%s")]
            args += [self._keys.records_gone("%s"), GONE_S]
            args += [self._keys.records_erased_receipts("%s", "%s"), RECEIPTS_S, Reason.ERASURE.value]
            args += [part for receipt in receipts for part in (receipt.id, receipt.line)]
            keys = [self._keys.records_due(), self._keys.receipts(), self._keys.receipts_head()]
            with redis_errors(_OP):
                count, hash_, lost = cast("Any", await self._finalise(keys, args))
            if not lost and hash_.decode() == receipts[-1].hash:
                return len(left)
            head = _head(count, hash_)
            left = [entry for entry in left if entry.id.encode() not in lost]
        return 0  # the lease lapses, and another sweep does it

    async def counted(self) -> tuple[int, int]:
        """Return how many objects wait for their day, and how many are held."""
        with redis_errors(_OP):
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcard(self._keys.records_due())
            pipe.zcard(self._keys.records_held())
            due, held = await pipe.execute()
        return due, held

    async def head(self) -> Head:
        """Return where the chain of receipts ends."""
        with redis_errors(_OP):
            count, hash_ = await cast("Any", self._redis.hmget(self._keys.receipts_head(), "count", "hash"))
        return _head(count or b"0", hash_ or b"")

    async def resume(self, head: Head) -> None:
        """Have the chain of receipts go on behind ``head``, unless Redis knows where it ends."""
        if head.count:
            with redis_errors(_OP):
                args = (1, self._keys.receipts_head(), head.count, head.hash)
                await cast("Any", self._redis.eval(scripts.RESUME, *args))

    async def sooner(self, ids: Iterable[str], reason: Reason, due: float = AT_ONCE) -> list[Fate]:
        """Have objects deleted as soon as nothing holds them; return what becomes of each."""
        keys = [self._keys.records_due(), self._keys.records_held()]
        args: list[Any] = [round(due * 1000), reason.value, self._keys.record("%s"), self._keys.records_holds("%s")]
        with redis_errors(_OP):
            return [Fate(fate.decode()) for fate in cast("Any", await self._sooner(keys, [*args, *ids]))]

    async def release(self, ids: Iterable[str]) -> int:
        """Give back what no hold covers any more; return how many those are."""
        keys = [self._keys.records_due(), self._keys.records_held()]
        args = [self._keys.record("%s"), self._keys.records_holds("%s"), *ids]
        with redis_errors(_OP):
            return int(cast("Any", await self._release(keys, args)))

    async def many(self, ids: Sequence[str]) -> list[Entry]:
        """Return the entries of these ids, without those that are gone."""
        pipe = self._redis.pipeline(transaction=False)
        for id_ in ids:
            pipe.hgetall(self._keys.record(id_))
        with redis_errors(_OP):
            raw: list[Any] = await pipe.execute() if ids else []
        return [Entry.from_fields(id_, row) for id_, row in zip(ids, raw, strict=True) if row]

    def of_session(self, session: str) -> AsyncIterator[list[str]]:
        """Yield the ids of a session's objects, some at a time."""
        return self._members(self._keys.records_of(session))

    def about(self, tenant: str, subject: str) -> AsyncIterator[list[str]]:
        """Yield the ids of the objects about a subject (its hash), some at a time."""
        return self._members(self._keys.records_about(tenant, subject))

    async def everything(self, *, held_only: bool = False) -> AsyncIterator[list[str]]:
        """Yield the ids of all objects, some at a time; one that is put aside meanwhile may come twice."""
        for held in (True,) if held_only else (False, True):
            cursor = -1
            while cursor:
                ids, cursor = await self.page(max(0, cursor), held=held)
                if ids:
                    yield ids

    async def page(self, cursor: int, *, held: bool) -> tuple[list[str], int]:
        """Return some ids, of those that are held or of all others, and where to go on; 0 is beginning and end."""
        key = self._keys.records_held() if held else self._keys.records_due()
        with redis_errors(_OP):
            following, found = await cast("Any", self._redis.zscan(key, cursor, count=BATCH))
        return [id_.decode() for id_, _ in found], int(following)

    async def _members(self, key: str) -> AsyncIterator[list[str]]:
        cursor = 0
        while True:
            with redis_errors(_OP):
                cursor, found = await cast("Any", self._redis.sscan(key, cursor, count=BATCH))
            if found:
                yield [id_.decode() for id_ in found]
            if not cursor:
                return

    async def store_name(self, first: bytes | None = None) -> bytes | None:
        """Return the name of the store whose objects these are; ``first`` is taken where none is known yet."""
        key = self._keys.records_store()
        with redis_errors(_OP):
            if first is not None:
                await self._redis.set(key, first, nx=True)
            return cast("bytes | None", await self._redis.get(key))

    async def late_s(self, now: float = 0.0) -> float:
        """Return for how many seconds something has been due and is there; ``now`` of 0 is Redis' clock."""
        args: list[Any] = [round(now * 1000), BATCH, self._keys.record("%s")]
        with redis_errors(_OP):
            return int(cast("Any", await self._late([self._keys.records_due()], args))) / 1000


def _flat(values: dict[str, str]) -> list[str]:
    return [part for pair in values.items() for part in pair]


def _entry(id_: bytes, row: list[bytes]) -> Entry:
    return Entry.from_fields(id_.decode(), dict(zip(row[::2], row[1::2], strict=True)))


def _head(count: bytes, hash_: bytes) -> Head:
    return Head(int(count), hash_.decode() or FIRST)

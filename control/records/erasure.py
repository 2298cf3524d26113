"""Erasing a person: everything about a subject goes, what a hold keeps is told, and each step may be done again."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from redis.asyncio import Redis

from control.records.cabinet import Cabinet
from control.records.consents import keep_consents
from control.records.data_class import DataClass
from control.records.entry import Reason
from control.records.erasure_requests import KEEP_S, LEASE_S, Erasure, ErasureRequests, ErasureState, Taken
from control.records.handlers import handlers_of
from control.records.index import Fate
from control.records.memories import Find, Memories, MemoryState
from control.records.names import names_of
from control.records.notes import NotesState, clear_notes
from control.records.residue import forget_session
from control.records.sub_processors import Met, SubProcessors
from control.sessions.store import SessionStore
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotActive, SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import is_over

logger = logging.getLogger(__name__)

Notes = Awaitable[NotesState]
FOR_S = 8.0
"""Seconds for which one run takes up requests, less than the time to the next, which goes on behind them."""
STEP_S = 15.0
"""Seconds that one request has in each run."""
ASK_S = 2.0
"""Seconds for which whoever asks waits while it is noted who handled what is there."""
WALK_S = 8.0
"""Seconds for which a step marks objects; the rest are marked by the next, when these are gone."""
_OP = "erasure"
_MARK = """
-- KEYS erased; ARGV when, time to live. A clock that was put back takes nothing back.
local before = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], string.format('%d', math.max(before, tonumber(ARGV[1]))), 'EX', ARGV[2])
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
"""


@dataclass(slots=True)
class Found:
    """Sessions about the person, or calls to them, as a step found them."""

    gone: int = 0
    live: int = 0
    """Not over: they are to be looked at again."""
    held: int = 0
    """Kept by a hold."""
    remembering: int = 0
    """Of the live: what they left is being put into memory, which can forget it only then."""


class Calls(Protocol):
    """Calls that we make."""

    async def forget(
        self,
        tenant: str,
        *,
        theirs: Callable[[str], bool],
        kept: Callable[[Sequence[str]], bool],
        met: Callable[[Met], Awaitable[None]],
        until: float,
    ) -> Found:
        """Call off those planned by ``until``, in seconds since the epoch, to a number of theirs; delete those over.

        ``kept`` tells of the sessions of one whether a hold keeps it, ``met`` is told which carrier knows of it.
        """
        ...


def new_id() -> str:
    """Return an id for a request that is yet to be taken."""
    return secrets.token_hex(16)


class Erasures:
    """Takes requests and carries them out step by step."""

    def __init__(
        self, redis: Redis, keys: Keys, store: SessionStore, cabinet: Cabinet, *, lease_s: float = LEASE_S
    ) -> None:
        self._redis, self._keys, self._store, self._cabinet = redis, keys, store, cabinet
        self._requests = ErasureRequests(redis, keys, lease_s)
        self.sub_processors = SubProcessors(redis, keys)
        self.memories = Memories(redis, keys)

    async def ask(self, tenant: str, name: str, *, by: str, id_: str = "") -> Erasure:
        """Take a request for a user id or an E.164 number; from now on nothing more is written of sessions before it.

        What is there goes by ``go_on``. Who handled it is noted, as far as that is done in ``ASK_S``, so that the first
        answer names them. ``id_`` is by ``new_id``, for whoever has to note the request before it counts.
        """
        subject = self._cabinet.subjects.of(tenant, name)
        erasure = Erasure(id=id_ or new_id(), tenant=tenant, subject=subject, by=by, at=time.time())
        key = self._keys.records_erased(tenant, subject)
        with redis_errors(_OP):
            noted_ms: Any = await cast("Any", self._redis.eval(_MARK, 1, key, round(erasure.at * 1000), KEEP_S))
            erasure = replace(erasure, noted_at=int(noted_ms) / 1000)
            pipe = self._redis.pipeline()
            self.memories.take(pipe, erasure.id, tenant, subject, name)
            self._requests.add(pipe, erasure)
            await pipe.execute()
        loop = asyncio.get_running_loop()
        until = loop.time() + ASK_S
        async for ids in self._cabinet.index.about(tenant, subject):
            await self._erasable(erasure, ids)
            if loop.time() >= until:
                break  # the rest is noted as it is deleted
        return erasure

    async def get(self, tenant: str, id_: str) -> Erasure:
        """Return a request; raises SessionNotFound if the tenant has none of this id."""
        erasure = await self._requests.get(id_)
        if erasure is None or erasure.tenant != tenant:
            raise SessionNotFound(_OP, "there is no such erasure")
        return erasure

    async def go_on(
        self, calls: Calls | None = None, memory: Find = lambda: None, notes: Callable[[], Notes] | None = None
    ) -> int:
        """Carry open requests as far as that is possible now; return how many are finished.

        One that fails holds up no other. ``memory`` returns what remembers callers, or None; ``notes`` clears what
        the servers of Redis note of commands, by default those of ``state`` alone.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + FOR_S
        carried: list[tuple[Taken, Erasure, Erasure]] = []
        for turn, id_ in enumerate(await self._requests.open()):
            if turn and loop.time() >= until:
                break
            taken = await self._requests.take(id_)
            if taken is not None and (steps := await self._carry(taken, calls, memory)):
                carried.append((taken, *steps))
        noted = NotesState.CLEARED
        if any(wants_clearing(before, now) for _, before, now in carried):
            noted = await (notes() if notes else clear_notes([self._redis]))
        finished = 0
        for taken, before, now in carried:
            settled = _settled(before, now, noted)
            written = await self._requests.write(taken, settled)
            finished += written and settled.state is ErasureState.DONE
        return finished

    async def _carry(self, taken: Taken, calls: Calls | None, memory: Find) -> tuple[Erasure, Erasure] | None:
        """Return a request before and after a step; None if that failed: it is left alone until its lease lapses."""
        try:
            erasure = taken.read()
            async with asyncio.timeout(STEP_S):
                return erasure, await self._step(erasure, calls, memory)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go on
            logger.error("erasure not carried on", extra={"erasure": taken.id, "error": type(error).__name__})  # noqa: TRY400 - one line
            return None

    async def _step(self, erasure: Erasure, calling: Calls | None, memory: Find) -> Erasure:
        found = await self._forget_sessions(erasure)
        fates = await self._hasten(erasure)
        calls = Found() if calling is None else await self._forget_calls(erasure, calling)
        held, left = fates[Fate.HELD], fates[Fate.DUE] + fates[Fate.TOO_LATE]
        kept, live = held + found.held + calls.held, found.live + calls.live
        remembered = MemoryState.WAITING
        if not found.remembering:
            remembered = await self._forget_memory(erasure, memory, held=bool(kept))
        busy = left or live or remembered is MemoryState.WAITING
        kept = kept or int(remembered is MemoryState.HELD)
        return replace(
            erasure,
            state=ErasureState.DELETING if busy else ErasureState.PARTIAL if kept else ErasureState.DONE,
            sessions=erasure.sessions + found.gone,
            calls=erasure.calls + calls.gone,
            live=live,
            left=left,
            held=kept,
            memory=remembered,
        )

    async def _hasten(self, erasure: Erasure) -> Counter[Fate]:
        """Have the person's objects deleted before all others; say what becomes of them."""
        loop, fates = asyncio.get_running_loop(), Counter[Fate]()
        until = loop.time() + WALK_S
        async for ids in self._cabinet.index.about(erasure.tenant, erasure.subject):
            if loop.time() >= until:
                fates[Fate.DUE] += len(ids)
                break
            fates.update(await self._cabinet.index.sooner(await self._erasable(erasure, ids), Reason.ERASURE))
        return fates

    async def _erasable(self, erasure: Erasure, ids: list[str]) -> list[str]:
        """Note who handled the sessions of objects, and return which of these go.

        The proofs of consents stay: they name nobody, and have to show that what was done was allowed.
        """
        entries = [one for one in await self._cabinet.index.many(ids) if erasure.reaches(one.began)]
        met = [(handler, entry.began) for entry in entries for handler in entry.handled_by]
        await self.sub_processors.note(erasure.id, met)
        return [one.id for one in entries if one.data_class != DataClass.CONSENT]

    async def _forget_sessions(self, erasure: Erasure) -> Found:
        """Delete what Redis has of the person's finished sessions, unless a hold keeps it; say how many there were."""
        mine = [record async for record in self._sessions_about(erasure)]
        kept = await self._cabinet.holds.covering(erasure.tenant)
        found, remembering = Found(), await self.memories.under_way([record.id for record in mine])
        await self.sub_processors.note(
            erasure.id, [(handler, record.created_at) for record in mine for handler in handlers_of(record)]
        )
        for record in mine:  # once all pages are read: a page begins behind the last one's last session
            if kept(record.id, self._subjects(record)):
                found.held += 1
            elif record.id in remembering:
                found.live, found.remembering = found.live + 1, found.remembering + 1
            elif is_over(record.state):
                await keep_consents(self._cabinet, record)
                await forget_session(self._redis, self._keys, record)
                found.gone += 1
            else:
                await self._keep_nothing(record)
                found.live += 1
        return found

    async def _forget_memory(self, erasure: Erasure, find: Find, *, held: bool) -> MemoryState:
        """Have memory forget the person, once nothing about them is held: a memory has all sessions in one."""
        covers = await self._cabinet.holds.covering(erasure.tenant)
        held = held or covers("", [erasure.subject])
        return await self.memories.carry_out(erasure.id, erasure.tenant, erasure.memory, find, held=held)

    async def _forget_calls(self, erasure: Erasure, calls: Calls) -> Found:
        """Call off what is planned to the person, and delete what is over."""
        tenant, subject = erasure.tenant, erasure.subject
        covers = await self._cabinet.holds.covering(tenant)

        def theirs(number: str) -> bool:
            return self._cabinet.subjects.of(tenant, number) == subject

        def kept(sessions: Sequence[str]) -> bool:
            return any(covers(session, [subject]) for session in ("", *sessions))

        async def met(one: Met) -> None:
            await self.sub_processors.note(erasure.id, [one])

        return await calls.forget(tenant, theirs=theirs, kept=kept, met=met, until=erasure.at)

    async def _sessions_about(self, erasure: Erasure) -> AsyncIterator[SessionRecord]:
        cursor = ""
        while True:
            page = await self._store.page(erasure.tenant, cursor=cursor)
            for record in page.sessions:
                if erasure.reaches(record.created_at) and erasure.subject in self._subjects(record):
                    yield record
            cursor = page.cursor
            if not cursor:
                return

    def _subjects(self, record: SessionRecord) -> tuple[str, ...]:
        return self._cabinet.subjects.all(record.tenant, names_of(record))

    async def _keep_nothing(self, record: SessionRecord) -> None:
        """Have nothing kept of a session that runs but the proof of its consents."""
        proof = {kind: rule for kind, rule in record.retention.items() if kind == DataClass.CONSENT}
        with suppress(SessionNotFound, SessionNotActive):  # it ended just now, and is found among those that are over
            await self._store.set_retention(record.id, record.tenant, proof)


def wants_clearing(before: Erasure, now: Erasure) -> bool:
    """Tell whether something was deleted since what Redis notes of commands was cleared, and all is that may be."""
    at_rest = now.state is not ErasureState.DELETING
    told = ("state", "sessions", "calls", "held", "memory")
    return at_rest and any(getattr(before, name) != getattr(now, name) for name in told)


def _settled(before: Erasure, now: Erasure, notes: NotesState) -> Erasure:
    """Return a request after a step, once notes were cleared: until that can be done, it is not at rest."""
    now = replace(now, done_at=time.time() if now.state is ErasureState.DONE else 0.0)
    if now.state is ErasureState.DELETING:
        return replace(now, notes_cleared=False)
    if not wants_clearing(before, now):
        return now
    if notes is NotesState.LATER:
        return replace(now, state=ErasureState.DELETING, notes_cleared=False, done_at=0.0)
    return replace(now, notes_cleared=notes is NotesState.CLEARED)

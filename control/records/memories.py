"""What agents' memory has of a person: under which keys, and how that is forgotten.

A memory belongs to the application: it is asked to forget a key, and where it cannot, the erasure says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

logger = logging.getLogger(__name__)

KEEP_S = 30 * 86_400
"""Seconds for which an erasure tells the keys of a memory that cannot forget."""
FORGET_S = 5.0
"""Seconds that a memory has for one key."""
AT_ONCE = 100
"""Keys in one step of an erasure."""
_OP = "memory"
_TAKE = """
-- KEYS what is known about the subject, the erasure's own; ARGV the key by the name that was erased
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call('HSETNX', KEYS[2], ARGV[1], '')
return 1
"""
"""From here on what is known about the subject is of later sessions, which are not the erasure's affair."""


class MemoryState(StrEnum):
    """What has come of an erased person's memory."""

    NONE = "none"
    """There is none."""
    WAITING = "waiting"
    """It is yet to be asked, or failed and is asked again."""
    HELD = "held"
    """It stays while a hold keeps anything of the person."""
    FORGOTTEN = "forgotten"
    NOT_REACHED = "not_reached"
    """It cannot forget, or is not configured any more."""


class Memory(Protocol):
    """A configured memory, as ``frameworks.memory.MemoryPart``."""

    async def forget(self, key: str, session_id: str = "") -> bool:
        """Delete what is under a key, or what one session left there; False if it cannot."""
        ...


Find = Callable[[], Memory | None]
"""Returns the memory that is configured, or None; raises where it cannot be had."""


class Memories:
    """Notes under which keys people are remembered; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def erased(self, tenant: str, subjects: Iterable[str], began: float) -> bool:
        """Tell whether one of them was erased after a session began, in seconds since the epoch."""
        marks = [self._keys.records_erased(tenant, subject) for subject in subjects]
        with redis_errors(_OP):
            found: Any = await self._redis.mget(marks) if marks else []
        return any(at is not None and int(at) >= round(began * 1000) for at in found)

    async def under_way(self, sessions: Sequence[str]) -> set[str]:
        """Return which sessions are being remembered now, or were by a process that died within the last minute."""
        keys = [self._keys.remembering(session) for session in sessions]
        with redis_errors(_OP):
            found: Any = await self._redis.mget(keys) if keys else []
        return {session for session, mark in zip(sessions, found, strict=True) if mark}

    async def note(self, tenant: str, subjects: Iterable[str], key: str) -> None:
        """Note who a memory's key is about, before it has something of them. Raises ConnectionFailed."""
        about = tuple(subjects)
        pipe = self._redis.pipeline()
        for subject in about:
            pipe.hset(self._keys.remembered_about(tenant, subject), key, "1")
        if about:
            pipe.sadd(self._keys.remembered_under(tenant, key), *about)
        with redis_errors(_OP):
            await pipe.execute()

    async def forgotten(self, tenant: str, key: str) -> None:
        """Note that nothing is under a key any more. Raises ConnectionFailed."""
        under = self._keys.remembered_under(tenant, key)
        with redis_errors(_OP):
            subjects: Any = await cast("Any", self._redis.smembers(under))
            pipe = self._redis.pipeline()
            for subject in subjects:
                pipe.hdel(self._keys.remembered_about(tenant, subject.decode()), key)
            pipe.delete(under)
            await pipe.execute()

    def take(self, pipe: Pipeline, erasure: str, tenant: str, subject: str, name: str) -> None:
        """Have an erasure forget all that is remembered about a subject, and of the user of this name."""
        keys = (self._keys.remembered_about(tenant, subject), self._keys.erasure_memories(erasure))
        pipe.eval(_TAKE, 2, *keys, f"{tenant}:{name}")

    async def left(self, erasure: str) -> list[str]:
        """Return the keys under which an erased person may be remembered still."""
        return sorted(await self._of(erasure))

    async def carry_out(self, erasure: str, tenant: str, before: MemoryState, find: Find, *, held: bool) -> MemoryState:
        """Have forgotten what an erasure took, as far as that is possible now; it may be done again."""
        mine = await self._of(erasure)
        if not mine:  # whoever did it may have died before it was noted
            return MemoryState.FORGOTTEN if before in {MemoryState.WAITING, MemoryState.HELD} else before
        try:
            memory = find()
            if memory is None and not any(mine.values()):
                return await self._nothing(erasure)
            if held:
                return MemoryState.HELD
            asked = list(mine)[: AT_ONCE if memory else 0]
            gone = [await self._forget(memory, erasure, tenant, key) for key in asked if memory]
        except Exception as error:  # noqa: BLE001 - whatever an application's memory does, the erasure goes on
            logger.warning("memory not asked to forget", extra={"erasure": erasure, "error": type(error).__name__})
            return MemoryState.WAITING
        if gone and all(gone):
            return MemoryState.FORGOTTEN if len(gone) == len(mine) else MemoryState.WAITING
        with redis_errors(_OP):
            await self._redis.expire(self._keys.erasure_memories(erasure), KEEP_S)
        return MemoryState.NOT_REACHED

    async def _nothing(self, erasure: str) -> MemoryState:
        """Note that nobody was ever remembered here."""
        with redis_errors(_OP):
            await self._redis.delete(self._keys.erasure_memories(erasure))
        return MemoryState.NONE

    async def _forget(self, memory: Memory, erasure: str, tenant: str, key: str) -> bool:
        async with asyncio.timeout(FORGET_S):
            if not await memory.forget(key):
                return False
        await self.forgotten(tenant, key)
        with redis_errors(_OP):
            await cast("Any", self._redis.hdel(self._keys.erasure_memories(erasure), key))
        return True

    async def _of(self, erasure: str) -> dict[str, str]:
        with redis_errors(_OP):
            rows: Any = await cast("Any", self._redis.hgetall(self._keys.erasure_memories(erasure)))
        return {key.decode(): noted.decode() for key, noted in rows.items()}

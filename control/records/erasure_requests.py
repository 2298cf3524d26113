"""Requests to erase a person, as Redis has them: one process at a time carries one out, and undoes no other's step."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from control.records.memories import MemoryState
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 366 * 86_400
"""Seconds for which a finished erasure can be asked about."""
LEASE_S = 60.0
"""Seconds for which one that was taken is left to who took it; longer than the task that carries them out may run."""
REST_S = 300
"""Seconds for which one of which only held things are left is not looked at, unless a hold is lifted."""
_OP = "erasure"
_TAKE = """
-- KEYS erasure, lease, open, rest, holds lifted; ARGV id, token, lease in ms
local text = redis.call('GET', KEYS[1])
if not text then redis.call('SREM', KEYS[3], ARGV[1]) return false end
local lifted = redis.call('GET', KEYS[5]) or '0'
if redis.call('GET', KEYS[4]) == lifted then return false end
if not redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then return false end
return {text, lifted}
"""
_WRITE = """
-- KEYS erasure, lease, open, rest; ARGV id, token, text before, text, time to live or '', holds lifted before or '',
--      seconds to rest
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
if ARGV[6] == '' then redis.call('DEL', KEYS[4]) else redis.call('SET', KEYS[4], ARGV[6], 'EX', ARGV[7]) end
if ARGV[5] == '' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'EX', ARGV[5])
  redis.call('SREM', KEYS[3], ARGV[1])
end
return 1
"""
"""Where somebody else wrote meanwhile, because the lease had lapsed, nothing is written."""


class ErasureState(StrEnum):
    """Where an erasure stands."""

    RECEIVED = "received"
    DELETING = "deleting"
    DONE = "done"
    PARTIAL = "partial"
    """All is gone but what a hold keeps; when it is lifted, that goes too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A request to erase a person, and what has come of it; it names the person by a keyed hash only."""

    id: str
    tenant: str
    subject: str
    by: str
    at: float
    """When it was asked for, seconds since the epoch."""
    noted_at: float = 0.0
    """The same by Redis' clock, which tells when receipts were written; 0 where it is not known."""
    state: ErasureState = ErasureState.RECEIVED
    sessions: int = 0
    """Sessions whose traces in Redis were deleted."""
    calls: int = 0
    """Calls to the person that we planned or made, of which nothing is left."""
    live: int = 0
    """Sessions about the person that run still, of which nothing will be kept, and calls that are being ended."""
    left: int = 0
    """Objects that are to be deleted and are still there."""
    held: int = 0
    """Objects, sessions whose objects are not written yet, and finished calls, that a hold keeps."""
    memory: MemoryState = MemoryState.WAITING
    """What has come of what agents' memory has of the person."""
    notes_cleared: bool = False
    """Whether every Redis was told to forget its slow log and append-only file since the last deletion."""
    done_at: float = 0.0

    def reaches(self, began: float) -> bool:
        """Tell whether a session that began then, in seconds since the epoch, was before the request."""
        return round(began * 1000) <= round(self.at * 1000)

    @classmethod
    def parse(cls, text: bytes) -> Erasure:
        """Read what Redis has."""
        values = json.loads(text)
        remembered = MemoryState(values.get("memory", MemoryState.NONE))
        return cls(**{**values, "state": ErasureState(values["state"]), "memory": remembered})

    @property
    def text(self) -> str:
        """The request as Redis has it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is ours to carry out for a while."""

    id: str
    token: str
    text: bytes
    lifted: str
    """How many holds had been lifted by then."""

    def read(self) -> Erasure:
        """Return the request as it was when it was taken."""
        return Erasure.parse(self.text)


class ErasureRequests:
    """``redis`` is the ``state`` role; every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys, lease_s: float = LEASE_S) -> None:
        self._redis, self._keys, self._lease_s = redis, keys, lease_s

    def add(self, pipe: Pipeline, erasure: Erasure) -> None:
        """Take a new request down."""
        pipe.set(self._keys.erasure(erasure.id), erasure.text)
        pipe.sadd(self._keys.erasures_open(), erasure.id)

    async def get(self, id_: str) -> Erasure | None:
        """Return a request, None if there is no such."""
        with redis_errors(_OP):
            text: Any = await self._redis.get(self._keys.erasure(id_))
        return Erasure.parse(text) if text else None

    async def open(self) -> list[str]:
        """Return the ids of all that are not carried out whole, those first whose turn it is."""
        with redis_errors(_OP):
            found: Any = await cast("Any", self._redis.smembers(self._keys.erasures_open()))
            last: Any = await self._redis.get(self._keys.erasures_turn())
        after = last.decode() if last else ""
        return sorted((id_.decode() for id_ in found), key=lambda id_: (id_ <= after, id_))

    async def take(self, id_: str) -> Taken | None:
        """Take a request to carry it out; None if somebody else has, it rests, or it is not there any more."""
        token = secrets.token_hex(8)
        with redis_errors(_OP):
            await self._redis.set(self._keys.erasures_turn(), id_)
            args = (id_, token, round(self._lease_s * 1000))
            keys = (*self._about(id_), self._keys.holds_lifted())
            found: Any = await cast("Any", self._redis.eval(_TAKE, 5, *keys, *args))
        return Taken(id_, token, found[0], found[1].decode()) if found else None

    async def write(self, taken: Taken, erasure: Erasure) -> bool:
        """Write what came of it and give it back; False if somebody else wrote meanwhile: then nothing is changed."""
        lasting = KEEP_S if erasure.state is ErasureState.DONE else ""
        rests = taken.lifted if erasure.state is ErasureState.PARTIAL else ""
        args = (taken.id, taken.token, taken.text, erasure.text, lasting, rests, REST_S)
        with redis_errors(_OP):
            return bool(await cast("Any", self._redis.eval(_WRITE, 4, *self._about(taken.id), *args)))

    def _about(self, id_: str) -> tuple[str, str, str, str]:
        rest = self._keys.erasure_rest(id_)
        return self._keys.erasure(id_), self._keys.erasure_lease(id_), self._keys.erasures_open(), rest

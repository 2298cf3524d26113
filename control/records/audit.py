"""Who read, linked, exported, held or erased what, or made keys, and when: appended to only, and of no content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys

ONCE_S = 60
"""Seconds in which the same read by the same reader is noted once: a player asks for a recording piece by piece."""
_OP = "audit"
_CURSOR = re.compile(r"\d{1,15}-\d{1,9}")
_NOTE = """
-- KEYS audit, reads; ARGV ttl s, seconds in which it is noted once or 0, by, action, about
if tonumber(ARGV[2]) > 0 and not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return 0 end
local oldest = redis.call('TIME')[1] * 1000 - ARGV[1] * 1000
redis.call('XADD', KEYS[1], 'MINID', string.format('%.0f', math.max(0, oldest)), '*',
           'by', ARGV[3], 'action', ARGV[4], 'about', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
"""What is older than the time to live goes with each new note, and all of it where none comes any more."""


class Action(StrEnum):
    """What is noted."""

    RECORD_READ = "record.read"
    LINK_ISSUED = "link.issued"
    LINK_USED = "link.used"
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    ERASURE_ASKED = "erasure.asked"
    DATA_EXPORTED = "data.exported"
    KEY_MADE = "key.made"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"


_READS = frozenset({Action.RECORD_READ, Action.LINK_USED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that was done."""

    id: str
    at: float
    """Seconds since the epoch."""
    by: str
    """An API key as ``key-<id>``, an AuthHook's user as ``subject-<hash>``, ``link-<id>`` for whoever had the link."""
    action: str
    about: str
    """The id of the record, hold or erasure, or ``subject-<hash>`` of whose data it was.

    Of API keys ``key-<id>`` and the scopes; of a rotation both ids, the new one second.
    """


class Audit:
    """A tenant's deeds, as long as the deployment keeps them; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, *, ttl_s: float) -> None:
        self._redis, self._keys, self._ttl_s = redis, keys, round(ttl_s)
        self._note = redis.register_script(_NOTE)

    async def note(self, tenant: str, *, by: str, action: Action, about: str) -> None:
        """Append a deed; before it is done, where it has an id by then. Without Redis nothing is done unseen.

        Raises:
            ConnectionFailed: Redis is not there.

        """
        once_s = ONCE_S if action in _READS else 0
        keys = [self._keys.records_audit(tenant), self._keys.records_audit_seen(tenant, f"{by} {action} {about}")]
        with redis_errors(_OP):
            await self._note(keys, [self._ttl_s, once_s, by, action.value, about])

    async def page(self, tenant: str, *, limit: int, cursor: str = "") -> tuple[list[Deed], str]:
        """Return deeds, newest first, from behind the cursor on, and the cursor of the next page, empty on the last.

        Raises:
            InvalidConfig: the cursor is none of ours.
            ConnectionFailed: Redis is not there.

        """
        if cursor and not _CURSOR.fullmatch(cursor):
            raise InvalidConfig(_OP, "cursor: from the page before", details={"field": "cursor"})
        newest = f"({cursor}" if cursor else "+"
        with redis_errors(_OP):
            rows: Any = await self._redis.xrevrange(self._keys.records_audit(tenant), newest, "-", count=limit)
        deeds = [_deed(id_.decode(), fields) for id_, fields in rows]
        return deeds, deeds[-1].id if len(deeds) == limit else ""


def _deed(id_: str, fields: dict[bytes, bytes]) -> Deed:
    by, action, about = (fields[name].decode() for name in (b"by", b"action", b"about"))
    return Deed(id=id_, at=int(id_.partition("-")[0]) / 1000, by=by, action=action, about=about)

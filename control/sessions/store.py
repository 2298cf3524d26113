"""The one writer of session records: every change is a compare-and-set in Redis that obeys the transition table.

API and tasks share it. A session of another tenant looks as if it were not there. What a session does, second by
second, stands in its log (``control.sessions.log``); the record says only where it stands in its life.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

from redis.asyncio import Redis

from control.sessions import scripts
from control.sessions.lease import Holder
from control.sessions.scripts import Verdict
from control.sessions.slot_request import SlotRequest, admitted, seconds_of_today
from control.sessions.slot_scripts import ADMIT
from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidConfig, SessionNotActive, SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import (
    ENDED_TTL_S,
    LIVE_TTL_S,
    LOG_FIELD,
    LOG_MAX_ENTRIES,
    SessionRecord,
    encode_fields,
    encode_log,
)
from voicebackend.session import SESSION_TRANSITIONS, SessionState, is_over

LOOK_S = 3.5
"""Seconds after its creation at which a session is looked at: has it started?"""
INDEX_TTL_S = 7 * LIVE_TTL_S
"""Seconds for which a tenant's list remembers a session, if its record lives that long."""
MAX_PAGE = 100
"""Sessions on one page of a list."""
_ID = re.compile(r"[0-9a-f]{32}")
_FIELDS = frozenset(item.name for item in fields(SessionRecord))
_MAX_PASSES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a tenant's sessions, newest first."""

    sessions: list[SessionRecord]
    cursor: str = ""
    """Where the next page starts; empty after the last."""


class SessionStore:
    """Reads and writes session records; ``redis`` is the ``state`` role and answers in bytes."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._admit = redis.register_script(ADMIT)
        self._adopt = redis.register_script(scripts.ADOPT)
        self._move = redis.register_script(scripts.MOVE)
        self._change = redis.register_script(scripts.CHANGE)
        self._renew = redis.register_script(scripts.RENEW)

    async def create(self, record: SessionRecord, request: SlotRequest | None = None) -> SessionRecord:
        """Write a new record with its log and its places in the indexes, and return it as it was written.

        With a request for a slot it has one then, or waits for one; without, the record is written as it is. Where it
        raises, nothing is written.

        Raises:
            SessionAlreadyActive: there is a record of this id.
            SessionLimitExceeded: there is no slot, and none to wait for, or the tenant has its share.
            RateLimitExceeded: the tenant creates too fast.

        """
        entry = {"type": "session", "state": record.state.value}
        plan: dict[str, Any] = {
            "id": record.id,
            "tenant": record.tenant,
            "now": repr(record.created_at),
            "look_at": repr(time.time() + LOOK_S),
            "live_ttl": LIVE_TTL_S,
            "index_ttl": INDEX_TTL_S,
            "seconds": seconds_of_today(self._keys, record.tenant),
            "log_field": LOG_FIELD.decode(),
            "log_entry": encode_log(entry)[LOG_FIELD].decode(),
        }
        keys, fields_ = self._all_keys(record), record.to_fields()
        keys += [self._keys.tenant_rate(record.tenant), self._keys.queue(record.provider)]
        if request is not None:
            keys, plan = [*keys, *request.keys(self._keys)], {**plan, **request.plan(self._keys)}
        with redis_errors("create_session"):
            reply: list[Any] = await self._admit(keys, [json.dumps(plan), *_flat(fields_)])
        return admitted(record, reply)

    async def adopt(self, record: SessionRecord, holder: Holder) -> bool:
        """Note that another holds a live session's lane now; False if the record knew, or is over."""
        with redis_errors("adopt_session"):
            args: list[Any] = [record.lane, holder.worker, holder.epoch, _LIVE]
            return bool(await self._adopt([self._keys.session(record.id)], args))

    async def get(self, session_id: str, tenant: str | None = None) -> SessionRecord:
        """Return a session's record; with a tenant, only if the session is that tenant's.

        Raises:
            SessionNotFound: there is none, or it is another tenant's.

        """
        raw: Any = None
        if _ID.fullmatch(session_id):
            with redis_errors("get_session"):
                raw = await self._redis.hgetall(self._keys.session(session_id))
        if not raw:
            raise SessionNotFound("get_session")
        record = SessionRecord.from_fields(raw)
        if tenant is not None and record.tenant != tenant:
            raise SessionNotFound("get_session")
        return record

    async def page(self, tenant: str, *, limit: int = MAX_PAGE, cursor: str = "") -> Page:
        """Return a page of 1 to 100 of a tenant's sessions, newest first; ids whose record expired are forgotten.

        Raises:
            InvalidConfig: the cursor names a session that is no longer in the list.

        """
        index = self._keys.sessions(tenant)
        limit = max(1, min(limit, MAX_PAGE))
        with redis_errors("list_sessions"):
            start = await self._start_of(index, cursor)
            found: list[SessionRecord] = []
            passes = 0
            more = True
            while more and len(found) < limit and (passes < _MAX_PASSES or not found):
                ids: Any = await self._redis.zrevrange(index, start, start + limit - len(found) - 1)
                records, gone = await self._records(ids)
                if gone:
                    await self._redis.zrem(index, *gone)
                start += len(records)
                found += records
                passes += 1
                more = bool(ids)
        return Page(sessions=found, cursor=found[-1].id if more else "")

    async def _start_of(self, index: str, cursor: str) -> int:
        if not cursor:
            return 0
        rank: Any = await self._redis.zrevrank(index, cursor)
        if rank is None:
            raise InvalidConfig("list_sessions", "cursor: start again without it", details={"field": "cursor"})
        return int(rank) + 1

    async def _records(self, ids: Iterable[bytes]) -> tuple[list[SessionRecord], list[bytes]]:
        """Return the records of these ids, and the ids that have none any more."""
        names = list(ids)
        found = await self.many(name.decode() for name in names)
        return list(found.values()), [name for name in names if name.decode() not in found]

    async def many(self, ids: Iterable[str]) -> dict[str, SessionRecord]:
        """Return the records of these ids, in their order, without those that have none; one trip to Redis."""
        names = list(ids)
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(self._keys.session(name))
        with redis_errors("get_sessions"):
            raw = await pipe.execute() if names else []
        return {name: SessionRecord.from_fields(one) for name, one in zip(names, raw, strict=True) if one}

    async def move(
        self, session_id: str, to: SessionState, *, fence: int | None = None, **changes: Any
    ) -> SessionRecord:
        """Bring a session to another state, with changes to other fields, and return its record.

        Staying where it is succeeds and changes nothing; so does a report whose lease epoch (``fence``) is older than
        the record's. Reaching ``ended`` or ``failed`` sets ``ended_at`` and lets record and log expire in an hour.

        Raises:
            SessionNotActive: the transition table does not allow it; nothing changed, details have the ``state``.
            SessionNotFound: there is no such session.

        """
        over = is_over(to)
        if over:
            changes = {"ended_at": time.time(), **changes}
        reason = changes.get("reason", "")
        last = {"type": "session", "state": to.value, "reason": reason}, {"type": "ended", "reason": reason}
        origins = (state for state, following in SESSION_TRANSITIONS.items() if to in following)
        keys = [self._keys.session(session_id), self._keys.session_log(session_id)]
        keys += [self._keys.live_sessions(), self._keys.live_by_tenant()]
        args: list[Any] = [
            session_id,
            to.value,
            _set_of(origins),
            "" if fence is None else fence,
            ENDED_TTL_S if over else "",
            LOG_FIELD,
            *(encode_log(entry)[LOG_FIELD] for entry in last),
            seconds_of_today(self._keys, "%s"),
        ]
        with redis_errors("move_session"):
            reply = await self._move(keys, [*args, *_flat(_encoded(changes))])
        return _result(reply, f"cannot become {to}", op="move_session")

    async def set_metadata(self, session_id: str, tenant: str, metadata: Mapping[str, Any]) -> SessionRecord:
        """Replace a running session's metadata; raises SessionNotFound or SessionNotActive."""
        return await self._set(session_id, tenant, metadata=dict(metadata))

    async def set_agent(self, session_id: str, tenant: str, agent: str) -> SessionRecord:
        """Let another registered agent answer from the next turn on; raises SessionNotFound or SessionNotActive."""
        return await self._set(session_id, tenant, agent=agent)

    async def set_retention(self, session_id: str, tenant: str, retention: Mapping[str, Any]) -> SessionRecord:
        """Replace what may be kept of a running session; raises SessionNotFound or SessionNotActive."""
        return await self._set(session_id, tenant, retention=dict(retention))

    async def set_position(self, session_id: str, tenant: str, position: int) -> SessionRecord:
        """Note where in the queue a session stands; raises SessionNotFound or SessionNotActive."""
        return await self._set(session_id, tenant, queue_position=position)

    async def set_usage(self, session_id: str, tenant: str, usage: Mapping[str, Any]) -> SessionRecord:
        """Note what a session that is over used, and what that cost."""
        return await self._set(session_id, tenant, over=True, usage=dict(usage))

    async def _set(self, session_id: str, tenant: str, *, over: bool = False, **changes: Any) -> SessionRecord:
        if not _ID.fullmatch(session_id):
            raise SessionNotFound("update_session")
        states = _set_of(filter(is_over, SessionState)) if over else _LIVE
        with redis_errors("update_session"):
            reply = await self._change([self._keys.session(session_id)], [tenant, states, *_flat(_encoded(changes))])
        return _result(reply, "is over", op="update_session")

    async def append_log(self, session_id: str, entry: Mapping[str, Any]) -> None:
        """Append an entry to a session's log, if the log is there."""
        key, encoded = self._keys.session_log(session_id), cast("Any", encode_log(entry))  # invariant in its key
        with redis_errors("append_log"):
            await self._redis.xadd(key, encoded, nomkstream=True, maxlen=LOG_MAX_ENTRIES, approximate=True)

    async def due(self, now: float, *, limit: int = MAX_PAGE) -> list[str]:
        """Return the ids of live sessions whose look-at time (seconds since the epoch) has come, longest due first."""
        with redis_errors("due_sessions"):
            ids: Any = await self._redis.zrangebyscore(self._keys.live_sessions(), "-inf", now, start=0, num=limit)
        return [name.decode() for name in ids]

    async def renew(self, session_id: str, *, look_at: float) -> bool:
        """Let a live session live on and be looked at again then; False, and off the set, if it is over or gone."""
        try:
            record = await self.get(session_id)
        except SessionNotFound:
            with redis_errors("renew_session"):
                await self._redis.zrem(self._keys.live_sessions(), session_id)
            return False
        args: list[Any] = [session_id, LIVE_TTL_S, INDEX_TTL_S, record.created_at, look_at, _LIVE]
        with redis_errors("renew_session"):
            return bool(await self._renew(self._all_keys(record), args))

    def _all_keys(self, record: SessionRecord) -> list[str]:
        keys = self._keys
        return [
            keys.session(record.id),
            keys.session_log(record.id),
            keys.sessions(record.tenant),
            keys.live_sessions(),
            keys.live_by_tenant(),
        ]


def _set_of(states: Iterable[SessionState]) -> str:
    """Return states as the scripts search them."""
    return f",{','.join(states)},"


_LIVE = _set_of(state for state in SessionState if not is_over(state))


def _encoded(changes: Mapping[str, Any]) -> dict[str, str]:
    unknown = changes.keys() - _FIELDS
    if unknown:
        raise TypeError(f"a session's record has no {sorted(unknown)}")
    return encode_fields(changes)


def _flat(encoded: Mapping[str, str]) -> list[str]:
    return [part for pair in encoded.items() for part in pair]


def _result(reply: list[bytes], problem: str, *, op: str) -> SessionRecord:
    """Read a script's answer."""
    verdict, *flat = reply
    if verdict.decode() == Verdict.MISSING:
        raise SessionNotFound(op)
    record = SessionRecord.from_fields(dict(zip(flat[::2], flat[1::2], strict=True)))
    if verdict.decode() == Verdict.ILLEGAL:
        message = f"session {record.id} is {record.state} and {problem}"
        raise SessionNotActive(op, message, details={"state": record.state.value})
    return record

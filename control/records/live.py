"""What Redis still has of sessions about a person: of those that run, and of those that ended within the hour."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from control.records.cabinet import Cabinet
from control.records.keep import log_of
from control.records.names import names_of
from control.sessions.store import SessionStore
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord

FOLDER = "live"
"""Where they lie in an archive, within their session's folder; no class of data is called so."""
_OP = "export"


@dataclass(frozen=True, slots=True)
class LiveSessions:
    """``redis`` is the ``state`` role; every method raises ConnectionFailed without it."""

    redis: Redis
    keys: Keys
    store: SessionStore

    async def about(self, cabinet: Cabinet, tenant: str, subject: str) -> AsyncIterator[SessionRecord]:
        """Yield the records of a tenant's sessions that are about a subject, newest first."""
        cursor = ""
        while True:
            page = await self.store.page(tenant, cursor=cursor)
            for record in page.sessions:
                if subject in cabinet.subjects.all(tenant, names_of(record)):
                    yield record
            cursor = page.cursor
            if not cursor:
                return

    async def files(self, record: SessionRecord) -> dict[str, bytes]:
        """Return what is there now, as JSON by file: the session, its log of events and words, its turns."""
        log = await log_of(self.redis, self.keys, record.id)
        told = (entry.get("turn") for _, entry in log)
        last = max((turn for turn in told if isinstance(turn, int)), default=0)
        turns = {turn: said for turn in range(last + 2) if (said := await self._said(record.id, turn))}
        shown = {**record.view().model_dump(mode="json", exclude_none=True), "consent": list(record.consent)}
        events = [{"at": at, **entry} for at, entry in log]
        found = {"session": shown, "log": events, "turns": turns}
        return {f"{FOLDER}/{name}.json": _json(value) for name, value in found.items() if value}

    async def _said(self, session: str, turn: int) -> str:
        """Return what a turn is to answer, also where it was a guess that never became one."""
        with redis_errors(_OP):
            said: Any = await cast("Any", self.redis.hget(self.keys.turn(session, turn), "said"))
        return (said or b"").decode(errors="replace")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()

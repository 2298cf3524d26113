"""What is said of consent while a session runs, or after it: into its record, with all that follows, in one step."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from control.sessions import scripts
from control.sessions.scripts import Verdict
from voicebackend._redis import redis_errors
from voicebackend.consent import Consent, ConsentWord
from voicebackend.errors import SessionLimitExceeded, SessionNotActive, SessionNotFound
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, is_over
from voicebackend.tasks import AGENTS_REMEMBER, POST_CALL_KEEP

MAX_SAID = 64 * 1024
"""Bytes of what is said of consent in one session."""
NOTED_S = 7 * 86_400
"""Seconds for which nothing is written that was made before a withdrawal: it may lie on some disk for a while."""
_OP = "consent"


class Consents:
    """Takes consents and withdrawals; ``redis`` is the ``state`` role.

    ``keeps`` is whether records are kept here, ``remembers`` whether agents have a memory.
    """

    def __init__(self, redis: Redis, keys: Keys, publisher: Publisher, *, keeps: bool, remembers: bool = False) -> None:
        self._redis, self._keys, self._publisher = redis, keys, publisher
        self._keeps, self._remembers = keeps, remembers
        self._say = redis.register_script(scripts.CONSENT)

    async def say(self, session_id: str, word: ConsentWord, *, by: str) -> SessionRecord:
        """Take a consent to what comes from now on, or a withdrawal; ``by`` is who told us. Return the record.

        What was kept of classes that are withdrawn is deleted, and nothing more of it is written, unless a hold covers
        it. A session that is over takes withdrawals only, for as long as its record is there.

        Raises:
            SessionNotFound: there is no such session, or not any more.
            SessionNotActive: it is over.
            SessionLimitExceeded: too much was said already.

        """
        at = time.time()
        said = json.dumps(statement(word, by=by, at=at), separators=(",", ":"))
        keys = [self._keys.session(session_id), self._keys.records_pending() if self._keeps else ""]
        states = [state for state in SessionState if word.given <= (not is_over(state))]
        if not word.given:
            keys += [self._keys.records_withdrawn(session_id, kind) for kind in word.classes]
        args: list[Any] = [session_id, f",{','.join(states)},", said, MAX_SAID, round(at * 1000), NOTED_S, repr(at)]
        with redis_errors(_OP):
            reply: list[bytes] = await self._say(keys, args)
        record = _record(reply)
        if self._keeps and not word.given:
            await self._publisher.publish(POST_CALL_KEEP, session_id=session_id)
        if self._remembers and not word.given and is_over(record.state) and "transcript" in word.classes:
            await self._publisher.publish(AGENTS_REMEMBER, session_id=session_id)
        return record


def statement(word: Consent | ConsentWord, *, by: str, at: float) -> Mapping[str, Any]:
    """Return what a session's record has of one consent or withdrawal; ``at`` is from when on it counts."""
    said = {"at": round(at, 3), "given": True, "by": by, **word.model_dump(mode="json", exclude={"at"})}
    return said | ({"obtained_at": word.at.isoformat()} if isinstance(word, Consent) else {})


def _record(reply: list[bytes]) -> SessionRecord:
    verdict, *flat = reply
    if verdict.decode() == Verdict.MISSING:
        raise SessionNotFound(_OP)
    record = SessionRecord.from_fields(dict(zip(flat[::2], flat[1::2], strict=True)))
    if verdict.decode() == Verdict.ILLEGAL:
        message = f"session {record.id} is {record.state}: consent can only be withdrawn"
        raise SessionNotActive(_OP, message, details={"state": record.state.value})
    if verdict.decode() == Verdict.FULL:
        raise SessionLimitExceeded(_OP, "too much was said of consent in this session")
    return record

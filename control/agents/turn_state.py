"""A turn's attempts in Redis: which one may answer, whether it is still wanted, and side effects that happen once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import AgentError
from voicebackend.record import ENDED_TTL_S
from voicebackend.streams import Keys

POLL_S = 0.05
"""Seconds between looks at a side effect that another attempt is having."""

_CLAIM = """
-- KEYS turn; ARGV attempt, ttl
local attempt, turn = tonumber(ARGV[1]), redis.call('HMGET', KEYS[1], 'current', 'claimed', 'cancelled')
if tonumber(turn[1] or '0') ~= attempt or tonumber(turn[3] or '0') >= attempt then return 'stale' end
if tonumber(turn[2] or '0') >= attempt then return 'claimed' end
redis.call('HSET', KEYS[1], 'claimed', attempt)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 'won'
"""


class Claim(StrEnum):
    """Whether an attempt may answer."""

    WON = "won"
    STALE = "stale"
    """The worker has given this attempt up, or published another."""
    CLAIMED = "claimed"
    """A delivery of the same task came earlier."""


async def claim(redis: Redis, keys: Keys, session_id: str, turn: int, attempt: int) -> Claim:
    """Take the attempt for this delivery of its task."""
    with redis_errors("claim"):
        reply: Any = await redis.eval(_CLAIM, 1, keys.turn(session_id, turn), str(attempt), str(ENDED_TTL_S))
    return Claim(reply.decode())


async def is_cancelled(redis: Redis, keys: Keys, session_id: str, turn: int, attempt: int) -> bool:
    """Tell whether the answer is no longer wanted."""
    with redis_errors("cancelled"):
        cancelled: Any = await redis.hget(keys.turn(session_id, turn), "cancelled")
    return int(cancelled or 0) >= attempt


class OnceInTurn:
    """``turn.once``: has a side effect at most once over all attempts at a turn.

    For plain functions, in any thread; an async agent calls it by ``asyncio.to_thread``. What was begun and never
    finished, because its process died, is not begun again: whether it happened is unknown.
    """

    def __init__(self, redis: SyncRedis, key: str, *, wait_s: float) -> None:
        self._redis, self._key, self._wait_s = redis, key, wait_s

    def __call__(self, key: str, function: Callable[[], Any]) -> Any:
        """Return the function's result, or what it returned the first time; if it raises, the next may try again.

        Raises:
            AgentError: the result is not JSON, or another attempt began and has not finished in ``wait_s``.

        """
        field = f"once:{key}"
        deadline = time.monotonic() + (0 if _on_event_loop() else self._wait_s)
        while not self._begin(field):
            if text := self._read(field):
                return _result(key, json.loads(text))
            if time.monotonic() >= deadline:
                raise AgentError("once", f"once({key!r}): another attempt began it; whether it happened is unknown")
            time.sleep(POLL_S)
        return self._run(key, field, function)

    def _run(self, key: str, field: str, function: Callable[[], Any]) -> Any:
        try:
            result = function()
        except BaseException:
            with redis_errors("once"):
                self._redis.hdel(self._key, field)
            raise
        try:
            text = json.dumps({"result": result})
        except (TypeError, ValueError):
            text = json.dumps({"error": "the result must be JSON"})
        self._write(field, text)
        return _result(key, json.loads(text))

    def _begin(self, field: str) -> bool:
        with redis_errors("once"), self._redis.pipeline(transaction=False) as pipe:
            pipe.hsetnx(self._key, field, "")
            pipe.expire(self._key, ENDED_TTL_S)
            return bool(pipe.execute()[0])

    def _write(self, field: str, text: str) -> None:
        with redis_errors("once"), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(self._key, field, text)
            pipe.expire(self._key, ENDED_TTL_S)
            pipe.execute()

    def _read(self, field: str) -> bytes:
        with redis_errors("once"):
            found: Any = self._redis.hget(self._key, field)
        return found or b""


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _result(key: str, told: Mapping[str, Any]) -> Any:
    if "error" in told:
        raise AgentError("once", f"once({key!r}): {told['error']}")
    return told["result"]

"""``turn.once``: side effects that happen once over all attempts at a turn, and never for a turn that was dropped."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis

from control.agents.turn_state import POLL_S, Attempt
from voicebackend._redis import redis_errors
from voicebackend.errors import AgentError
from voicebackend.record import ENDED_TTL_S

_BEGIN = """
-- KEYS turn; ARGV attempt, field, ttl. Returns what there is to do, and the result where it is known.
local attempt = tonumber(ARGV[1])
local turn = redis.call('HMGET', KEYS[1], 'current', 'cancelled', 'committed', ARGV[2])
if tonumber(turn[1] or '0') ~= attempt or tonumber(turn[2] or '0') >= attempt then return {'gone', ''} end
if tonumber(turn[3] or '0') ~= attempt then return {'open', ''} end
if turn[4] == '' then return {'busy', ''} end
if turn[4] then return {'known', turn[4]} end
redis.call('HSET', KEYS[1], ARGV[2], '')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {'begun', ''}
"""

_REFUSED: Mapping[str, str] = {
    "gone": "the caller went on or interrupted: nobody waits for this turn's answer",
    "open": "nobody has said yet that the caller has finished; in an async agent, call it by asyncio.to_thread",
    "busy": "another attempt began it; whether it happened is unknown",
}


class OnceInTurn:
    """Has a side effect at most once over all attempts at a turn, and only after the caller has finished.

    For plain functions, in any thread; an async agent calls it by ``asyncio.to_thread``, because on the event loop it
    does not wait. What was begun and never finished, because its process died, is not begun again. It waits for
    ``wait_s`` seconds from now, which is the agent's time, however often it is called.
    """

    def __init__(self, redis: Redis, attempt: Attempt, *, wait_s: float) -> None:
        self._redis, self._attempt, self._deadline = redis, attempt, time.monotonic() + wait_s

    def __call__(self, key: str, function: Callable[[], Any]) -> Any:
        """Return the function's result, or what it returned the first time; if it raises, the next may try again.

        Raises:
            AgentError: the turn was dropped, or not committed in time; or another attempt began and has not finished
                in time; or the result is not JSON.

        """
        field = f"once:{key}"
        deadline = 0.0 if _on_event_loop() else self._deadline
        while True:
            found, text = self._begin(field)
            if found == "begun":
                return self._run(key, field, function)
            if found == "known":
                return _result(key, json.loads(text))
            if found == "gone" or time.monotonic() >= deadline:
                raise AgentError("once", f"once({key!r}): {_REFUSED[found]}")
            time.sleep(POLL_S)

    def _begin(self, field: str) -> tuple[str, bytes]:
        arguments = (str(self._attempt.number), field, str(ENDED_TTL_S))
        with redis_errors("once"):
            found: Any = self._redis.eval(_BEGIN, 1, self._attempt.key, *arguments)
        return found[0].decode(), found[1]

    def _run(self, key: str, field: str, function: Callable[[], Any]) -> Any:
        try:
            result = function()
        except BaseException:
            with redis_errors("once"):
                self._redis.hdel(self._attempt.key, field)
            raise
        try:
            text = json.dumps({"result": result})
        except (TypeError, ValueError):
            text = json.dumps({"error": "the result must be JSON"})
        self._write(field, text)
        return _result(key, json.loads(text))

    def _write(self, field: str, text: str) -> None:
        with redis_errors("once"), self._redis.pipeline(transaction=False) as pipe:
            pipe.hset(self._attempt.key, field, text)
            pipe.expire(self._attempt.key, ENDED_TTL_S)
            pipe.execute()


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

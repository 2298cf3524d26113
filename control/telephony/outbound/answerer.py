"""Whether a machine answered a call that we made, as the worker that hears it writes into the session's log."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import decode_log

FIRST = 60
"""Entries of a log, from its beginning, among which it is told: who answers is known soon or never."""
QUIET_S = 1.5
"""Seconds of silence after which a machine's greeting is over, and its beep."""
_OP = "answerer"


async def is_machine(redis: Redis, keys: Keys, session: str, *, greeting_over: bool) -> bool | None:
    """Tell whether a machine answered in a session; None where that is not known; ``redis`` is the ``state`` role.

    With ``greeting_over`` a machine is told of once it has been silent for ``QUIET_S``. Raises ConnectionFailed.
    """
    with redis_errors(_OP):
        entries: Any = await redis.xrange(keys.session_log(session), count=FIRST)
        now_s, _ = await redis.time()
    told = [(int(id_.split(b"-")[0]) / 1000, entry) for id_, fields in entries if (entry := decode_log(fields))]
    found = [(at, entry) for at, entry in told if entry["type"] == "answerer"]
    if not found or found[-1][1]["who"] == "unknown":
        return None
    at, last = found[-1]
    if last["who"] != "machine":
        return False
    waits = greeting_over and (last["speaks"] or now_s - at < QUIET_S)
    return None if waits else True

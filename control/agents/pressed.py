"""What the caller pressed, as the agent's code reads it: what is sensitive once, and then it is gone."""

from __future__ import annotations

from typing import Any

from redis import Redis

from voicebackend._redis import redis_errors
from voicebackend.digits import Digits, SealedDigits, Sealing


def pressed(told: str, redis: Redis, key: str, seal: Sealing) -> Digits | None:
    """Return what a turn's hash tells, None if no keys were asked for; ``redis`` is the ``state`` role.

    Sensitive keys lie sealed under ``key`` and are deleted when they are read: in any thread, which that blocks. Then
    ConnectionFailed is raised if Redis is not there.
    """
    if not told:
        return None

    def take() -> str | None:
        with redis_errors("digits"):
            sealed: Any = redis.getdel(key)
        return None if sealed is None else str(sealed.decode())

    return Digits.of(told, SealedDigits(take, seal))

"""Which calls carriers told of, and what became of each: one try at a time takes a call, and its answer stays."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import SessionLimitExceeded
from voicebackend.keys import Keys

REMEMBER_S = 24 * 3600
"""Seconds for which a call keeps its answer: carriers send a webhook again when the answer was lost."""
BUSY_S = 10
"""Seconds for which a call that found no room keeps that answer: webhooks come again, and so do callers."""
_PASSING = frozenset({486, 503})
TAKING_S = 10
"""Seconds after which a try at a call that never ended does not hold up the next."""
WAIT_S = 2.5
"""Seconds that a try at the same call is waited for, where nobody says how long."""
_LOOK_S = 0.05
_CLAIM, _REFUSED = "-", "!"
_SETTLE = """
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == "" then redis.call("DEL", KEYS[1]) else redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3]) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that was refused; ``code`` is a SIP status."""

    code: int


@dataclass(frozen=True, slots=True)
class Given:
    """A call that was given a session."""

    session: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to take a call, for ``TAKING_S`` seconds."""

    value: str


class BeingTaken(SessionLimitExceeded):
    """Something takes the call, and is not done: who tells of it may ask again."""

    def __init__(self, message: str = "the call is being taken: ask again") -> None:
        super().__init__("incoming_call", message, retry_after=1)


class CallRegister:
    """The entry of one call; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys, *, trunk: str, call_id: str) -> None:
        self._redis, self._key = redis, keys.call(trunk, call_id)

    async def claim(self, wait_s: float | None = None) -> Claim | Given | Refused:
        """Return the right to take the call, or what became of it; a try that is under way is waited for.

        Raises:
            BeingTaken: that lasts longer than ``wait_s`` seconds, ``WAIT_S`` where that is not given.

        """
        claim = _CLAIM + secrets.token_hex(8)
        for _ in range(max(1, round((WAIT_S if wait_s is None else wait_s) / _LOOK_S))):
            with redis_errors("incoming_call"):
                if await self._redis.set(self._key, claim, nx=True, ex=TAKING_S):
                    return Claim(claim)
                found: Any = await self._redis.get(self._key)
            if found is not None and not found.startswith(_CLAIM.encode()):
                return _answer(found.decode())
            await asyncio.sleep(_LOOK_S)
        raise BeingTaken

    async def settle(self, claim: Claim, answer: Given | Refused) -> bool:
        """Write down what became of the call; False if the claim has lapsed."""
        if isinstance(answer, Given):
            return await self._replace(claim, answer.session)
        ttl_s = BUSY_S if answer.code in _PASSING else REMEMBER_S
        return await self._replace(claim, f"{_REFUSED}{answer.code}", ttl_s)

    async def drop(self, claim: Claim) -> None:
        """Let others try."""
        await self._replace(claim, "")

    async def _replace(self, claim: Claim, text: str, ttl_s: int = REMEMBER_S) -> bool:
        with redis_errors("incoming_call"):
            return bool(await cast("Any", self._redis.eval(_SETTLE, 1, self._key, claim.value, text, str(ttl_s))))


def _answer(text: str) -> Given | Refused:
    return Refused(int(text[len(_REFUSED) :])) if text.startswith(_REFUSED) else Given(text)

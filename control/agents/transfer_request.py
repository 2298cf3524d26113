"""``turn.transfer``: a caller handed over to a person, once what the turn says has been heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis import Redis

from control import loop
from voicebackend._redis import redis_errors
from voicebackend.agents import Once
from voicebackend.errors import AgentError, VoiceBackendError

CHECK_S = 5.0
"""Seconds that the check may take."""
WISH_S = 120
"""Seconds for which a wish waits for its words to be heard."""

Check = Callable[[str], Awaitable[object]]
"""Raises VoiceBackendError where the call cannot be handed over to a number."""


class TransferRequest:
    """One turn's; for plain functions, in any thread, as ``OnceInTurn`` is. ``key`` is where the wish lies in Redis."""

    def __init__(self, redis: Redis, key: str, turn: int, *, once: Once, check: Check) -> None:
        self._redis, self._key, self._turn, self._once, self._check = redis, key, turn, once, check
        self.made = False
        """Whether somebody is to be called once the turn's words were heard."""

    def __call__(self, to: str, sorry: str) -> None:
        """Take down who is to be called; the first wish of a turn counts.

        Raises:
            AgentError: the call cannot be handed over to this number, or nobody waits for this turn any more.

        """
        self._once("transfer", lambda: self._take_down(to, sorry))
        self.made = True

    def _take_down(self, to: str, sorry: str) -> bool:
        try:
            loop.run(_awaited(self._check(to)), CHECK_S)
        except VoiceBackendError as error:
            raise AgentError("transfer", error.message, details=error.details) from error
        wish: Any = {"turn": self._turn, "to": to, "sorry": sorry}
        with redis_errors("transfer"), self._redis.pipeline() as pipe:
            pipe.hset(self._key, mapping=cast("Any", wish))
            pipe.expire(self._key, WISH_S)
            pipe.execute()
        return True


async def _awaited(work: Awaitable[object]) -> None:
    await work

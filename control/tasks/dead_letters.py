"""Tasks that were given up: kept in a capped stream with the reason, so that someone can look and start them again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis as SyncRedis

from voicebackend._redis import redis_errors
from voicebackend.errors import as_error
from voicebackend.keys import Keys
from voicebackend.tracing import error_code

MAX_LETTERS = 10_000
"""Letters kept, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A task that was given up."""

    task: str
    arguments: Mapping[str, Any]
    """Those that its task tells: no erasure reaches a letter."""
    code: str
    """Of the last error."""
    reason: str
    """The last error in words; never what a caller said."""
    attempts: int
    at: float
    """Seconds since the epoch."""

    def to_fields(self) -> dict[str, str]:
        """Return the fields of the stream's entry."""
        return {
            "task": self.task,
            "arguments": json.dumps(dict(self.arguments), default=str),
            "code": self.code,
            "reason": self.reason,
            "attempts": str(self.attempts),
            "at": f"{self.at:.3f}",
        }

    @classmethod
    def of(cls, task: str, arguments: Mapping[str, Any], error: BaseException, *, attempts: int) -> DeadLetter:
        """Describe a failure; an error that is not ours shows its class only, for its words may be anything."""
        ours = as_error(error)
        return cls(
            task=task,
            arguments=arguments,
            code=error_code(error),
            reason=ours.message if ours else type(error).__name__,
            attempts=attempts,
            at=time.time(),
        )


def bury(redis: SyncRedis, keys: Keys, letter: DeadLetter) -> None:
    """Append a letter; raises ConnectionFailed or ConnectionTimeout."""
    with redis_errors("dead_letters"):
        redis.xadd(keys.dead_letters(), letter.to_fields(), maxlen=MAX_LETTERS, approximate=True)  # type: ignore[arg-type]

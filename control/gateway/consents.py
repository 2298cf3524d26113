"""What callers have said of consent by now, as their sessions' records have it: looked up twice a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend.consent import Statements
from voicebackend.keys import Keys

LOOK_S = 0.5
"""Seconds that Redis has to answer: a recording goes on meanwhile as it was."""


async def said_by(redis: Redis, keys: Keys, sessions: Iterable[str]) -> dict[str, Statements]:
    """Return what was said in each session; one that has no record, and all where Redis is away, is not in it."""
    ids = list(dict.fromkeys(sessions))
    pipe = redis.pipeline(transaction=False)
    for id_ in ids:
        pipe.hget(keys.session(id_), "consent")
    try:
        async with asyncio.timeout(LOOK_S):
            found: list[Any] = await pipe.execute() if ids else []
    except (RedisError, OSError, TimeoutError):
        return {}
    return {id_: json.loads(text) for id_, text in zip(ids, found, strict=True) if text is not None}

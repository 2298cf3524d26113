"""A turn's attempts in Redis: which one may answer, and whether it is still wanted, or only guessed at.

The worker writes ``current``, ``said``, ``digits``, ``committed`` and ``cancelled``; the task writes ``claimed``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire

POLL_S = 0.02
"""Seconds between looks at whether a speculative turn has been committed: what its answer may be late by."""

CLAIM = """
-- KEYS turn; ARGV attempt, ttl
local attempt = tonumber(ARGV[1])
local turn = redis.call('HMGET', KEYS[1], 'current', 'claimed', 'cancelled', 'committed', 'said', 'digits')
if tonumber(turn[1] or '0') ~= attempt or tonumber(turn[3] or '0') >= attempt then return {'stale', 0, '', ''} end
if tonumber(turn[2] or '0') >= attempt then return {'claimed', 0, '', ''} end
redis.call('HSET', KEYS[1], 'claimed', attempt)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {'won', tonumber(turn[4] or '0'), turn[5] or '', turn[6] or ''}
"""
"""Take an attempt for one delivery of its task; ``Claim.of`` reads the answer."""


class Verdict(StrEnum):
    """Whether an attempt may answer."""

    WON = "won"
    STALE = "stale"
    """The worker has given this attempt up, or published another."""
    CLAIMED = "claimed"
    """A delivery of the same task came earlier."""


class Standing(StrEnum):
    """What has become of an attempt."""

    OPEN = "open"
    """The caller may still go on speaking: nothing may happen that cannot be undone."""
    COMMITTED = "committed"
    """The caller has finished."""
    GONE = "gone"
    """Nobody waits for it: the caller went on or interrupted, or another attempt took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at one turn: the key of the turn's hash, and its number, 1 to 255."""

    key: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a task is told that asks whether it may answer."""

    verdict: Verdict
    transcript: str = ""
    """What the caller said; as far as it was recognised where it is speculative."""
    speculative: bool = False
    digits: str = ""
    """What the caller pressed, as ``Digits.of`` reads it; empty if no keys were asked for."""

    @classmethod
    def of(cls, reply: Any, attempt: Attempt) -> Self:
        """Read what ``CLAIM`` answers."""
        verdict, committed, said, digits = reply
        return cls(
            verdict=Verdict(verdict.decode()),
            transcript=said.decode(),
            speculative=int(committed) != attempt.number,
            digits=digits.decode(),
        )


async def standing(state: Wire, attempt: Attempt) -> Standing:
    """Return what has become of a claimed attempt; raises ConnectionFailed."""
    current, cancelled, committed = await _numbers(state, attempt)
    if current != attempt.number or cancelled >= attempt.number:
        return Standing.GONE
    return Standing.COMMITTED if committed == attempt.number else Standing.OPEN


async def was_meant(state: Wire, attempt: Attempt) -> bool:
    """Wait until it is known whether the caller had finished when this attempt answered, interrupted or not.

    Who calls it limits the time. Raises ConnectionFailed.
    """
    while True:
        current, cancelled, meant = await _numbers(state, attempt)
        if meant == attempt.number:
            return True
        if current != attempt.number or cancelled >= attempt.number:
            return False
        await asyncio.sleep(POLL_S)


async def committed(state: Wire, attempt: Attempt) -> str | None:
    """Wait until the attempt is committed and return what the caller said; None when it is gone.

    Who calls it limits the time. Raises ConnectionFailed.
    """
    while (found := await standing(state, attempt)) is Standing.OPEN:  # noqa: ASYNC110 - no event reaches here
        await asyncio.sleep(POLL_S)
    if found is Standing.GONE:
        return None
    with redis_errors("committed"):
        (said,) = await state.execute(("HGET", attempt.key, "said"))
    return (said or b"").decode()


async def _numbers(state: Wire, attempt: Attempt) -> tuple[int, int, int]:
    """Return the attempts that are current, cancelled and committed; 0 for none."""
    with redis_errors("turn_state"):
        (found,) = await state.execute(("HMGET", attempt.key, "current", "cancelled", "committed"))
    current, cancelled, committed = (int(value or 0) for value in found)
    return current, cancelled, committed

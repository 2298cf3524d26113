"""A turn's attempts: one delivery answers, the cancelled do not, and the speculative wait for the caller."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from control.agents.turn_state import CLAIM, Attempt, Claim, Standing, Verdict, committed, standing
from voicebackend._wire import Wire
from voicebackend.keys import Keys
from voicebackend.record import ENDED_TTL_S

TURN = Keys().turn("5" * 32, 1)
FIRST, SECOND = Attempt(key=TURN, number=1), Attempt(key=TURN, number=2)


async def claim(redis: Redis, attempt: Attempt) -> Claim:
    """Take the attempt as a task's opening does."""
    return Claim.of(await redis.eval(CLAIM, 1, attempt.key, str(attempt.number), str(ENDED_TTL_S)), attempt)


async def note(redis: Redis, **fields: object) -> None:
    """Write into the turn's hash as the worker does."""
    await redis.hset(TURN, mapping={name: str(value) for name, value in fields.items()})
    await redis.expire(TURN, 60)


async def test_an_attempt_is_claimed_by_one_delivery_only(redis: Redis) -> None:
    """Celery may deliver a task twice; the one that wins is told what to answer."""
    await note(redis, current=1, committed=1, said="hello")
    assert await claim(redis, FIRST) == Claim(verdict=Verdict.WON, transcript="hello", speculative=False)
    assert await claim(redis, FIRST) == Claim(verdict=Verdict.CLAIMED, speculative=True)


async def test_a_claim_knows_that_the_caller_may_go_on(redis: Redis) -> None:
    """Nobody has committed the attempt; that an earlier one was does not count."""
    await note(redis, current=2, committed=1, said="hello")
    assert (await claim(redis, SECOND)).speculative


async def test_the_next_attempt_may_be_claimed_after_the_last(redis: Redis) -> None:
    """The worker published again because the first got lost; the first is stale then."""
    await note(redis, current=1)
    await claim(redis, FIRST)
    await note(redis, current=2)
    assert (await claim(redis, FIRST)).verdict is Verdict.STALE
    assert (await claim(redis, SECOND)).verdict is Verdict.WON


async def test_an_attempt_that_was_never_published_or_was_cancelled_is_stale(redis: Redis) -> None:
    """No agent runs for a turn that nobody waits for."""
    assert (await claim(redis, FIRST)).verdict is Verdict.STALE
    await note(redis, current=1, cancelled=1)
    assert (await claim(redis, FIRST)).verdict is Verdict.STALE


async def test_an_attempt_stands_open_committed_or_gone(redis: Redis) -> None:
    """Gone when it was cancelled, and when another took its place."""
    assert await standing(Wire(redis), FIRST) is Standing.GONE
    await note(redis, current=1)
    assert await standing(Wire(redis), FIRST) is Standing.OPEN
    await note(redis, committed=1)
    assert await standing(Wire(redis), FIRST) is Standing.COMMITTED
    await note(redis, cancelled=1)
    assert await standing(Wire(redis), FIRST) is Standing.GONE
    await note(redis, current=2)
    assert await standing(Wire(redis), FIRST) is Standing.GONE
    assert await standing(Wire(redis), SECOND) is Standing.OPEN


async def test_who_waits_for_the_caller_hears_all_that_was_said(redis: Redis) -> None:
    """Or that the attempt is gone."""
    await note(redis, current=1, said="a table for")
    waiting = asyncio.create_task(committed(Wire(redis), FIRST), name="waiting")
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await note(redis, committed=1, said="a table for two")
    assert await waiting == "a table for two"
    await note(redis, cancelled=1)
    assert await committed(Wire(redis), FIRST) is None

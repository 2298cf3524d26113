"""Where a session stands, noted by its worker: in record and log at once, and never by who lost the lane."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from voicebackend._wire import Wire
from voicebackend.errors import ConnectionFailed, ConnectionTimeout
from voicebackend.keys import Keys
from voicebackend.record import LOG_FIELD, decode_log, encode_log
from voicebackend.session import SessionState
from voicebackend.settings import Deployment
from worker.session_state import note_state

S = SessionState
SESSION = "a" * 32
EPOCH = 5


async def begin(redis: Redis, keys: Keys, state: S = S.STARTING) -> None:
    """Write the record and log of a session."""
    await redis.hset(keys.session(SESSION), mapping={"state": str(state), "epoch": EPOCH})
    await redis.xadd(keys.session_log(SESSION), {LOG_FIELD: encode_log({"type": "session", "state": "x"})[LOG_FIELD]})
    for key in (keys.session(SESSION), keys.session_log(SESSION)):
        await redis.expire(key, 60)


async def stands(redis: Redis, keys: Keys) -> tuple[str, list[str]]:
    """Return the record's state, and the states that the log tells after its first entry."""
    state: Any = await redis.hget(keys.session(SESSION), "state")
    entries: Any = await redis.xrange(keys.session_log(SESSION))
    return state.decode(), [decode_log(fields)["state"] for _, fields in entries[1:]]


async def test_ready_and_active_follow_each_other_as_callers_come_and_go(redis: Redis, deployment: Deployment) -> None:
    """Record and log tell the same."""
    keys, wire = deployment.keys, Wire(redis)
    await begin(redis, keys)
    told = [S.READY, S.ACTIVE, S.READY]
    for count, state in enumerate(told, start=1):
        await note_state(wire, keys, SESSION, state, EPOCH)
        assert await stands(redis, keys) == (state, told[:count])


async def test_who_lost_the_lane_writes_nothing(redis: Redis, deployment: Deployment) -> None:
    """The record names an epoch that is greater."""
    keys = deployment.keys
    await begin(redis, keys)
    await note_state(Wire(redis), keys, SESSION, S.READY, EPOCH - 1)
    assert await stands(redis, keys) == (S.STARTING, [])


@pytest.mark.parametrize("state", [S.PENDING, S.ENDING, S.ENDED, S.FAILED])
async def test_a_session_that_cannot_be_ready_does_not_become_so(
    redis: Redis, deployment: Deployment, state: S
) -> None:
    """The transition table holds for the worker too."""
    await begin(redis, deployment.keys, state)
    await note_state(Wire(redis), deployment.keys, SESSION, S.READY, EPOCH + 1)
    assert (await stands(redis, deployment.keys))[0] == state


async def test_nothing_is_made_of_a_session_that_is_gone(redis: Redis, deployment: Deployment) -> None:
    """Neither its record nor its log comes to be again."""
    await note_state(Wire(redis), deployment.keys, SESSION, S.READY, EPOCH)
    assert not await redis.exists(deployment.keys.session(SESSION), deployment.keys.session_log(SESSION))


async def test_a_redis_that_is_away_is_told() -> None:
    """The session that could not be noted as ready fails for that."""
    wire = Wire(Redis(host="127.0.0.1", port=1))
    with pytest.raises((ConnectionFailed, ConnectionTimeout)):
        await note_state(wire, Keys(), SESSION, S.READY, EPOCH)

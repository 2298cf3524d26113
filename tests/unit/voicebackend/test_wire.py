"""The quick connection to Redis: replies in order, errors as the client's, and another connection after a lost one."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from voicebackend._redis import connect
from voicebackend._wire import Wire


async def test_replies_come_in_the_order_of_commands(redis: Redis) -> None:
    """Any number may be under way at once."""
    wire = Wire(redis)
    await wire.execute(("SET", "number", 0, "EX", 60))
    found = await asyncio.gather(*(wire.execute(("INCR", "number"), ("ECHO", f"{n}")) for n in range(1, 101)))
    assert found == [[n, b"%d" % n] for n in range(1, 101)]


async def test_a_refusal_is_raised_and_the_next_command_answered(redis: Redis) -> None:
    """As the client raises it; what was sent beside it has happened."""
    wire = Wire(redis)
    with pytest.raises(ResponseError, match="unknown command"):
        await wire.execute(("SET", "key", "value", "EX", 60), ("NONSENSE",))
    assert await wire.execute(("GET", "key")) == [b"value"]


async def test_a_cancelled_call_takes_nobody_elses_reply(redis: Redis) -> None:
    """Its own comes and goes unheard."""
    wire = Wire(redis)
    await wire.execute(("PING",))
    blocked = asyncio.create_task(wire.execute(("BLPOP", "nothing", "0.1")))
    behind = asyncio.create_task(wire.execute(("ECHO", "mine")))
    await asyncio.sleep(0)
    blocked.cancel()
    assert await behind == [b"mine"]
    assert blocked.cancelled()


async def test_a_lost_connection_fails_who_waits_and_is_made_anew(redis: Redis) -> None:
    """Everything under way fails at once; the next call connects."""
    wire = Wire(redis)
    (number,) = await wire.execute(("CLIENT", "ID"))
    blocked = asyncio.create_task(wire.execute(("BLPOP", "nothing", "0")))
    await asyncio.sleep(0)
    await redis.client_kill_filter(_id=str(number))
    with pytest.raises(RedisConnectionError):
        await blocked
    (other,) = await wire.execute(("CLIENT", "ID"))
    assert other != number


async def test_a_server_that_does_not_answer_in_time_is_left(redis_url: str) -> None:
    """What is under way times out, and the next call gets its own reply, not one that came late."""
    client = connect(redis_url, timeout_s=0.1)
    wire = Wire(client)
    with pytest.raises(RedisTimeoutError):
        await wire.execute(("BLPOP", "nothing", "0.3"))
    assert await wire.execute(("ECHO", "mine")) == [b"mine"]
    await client.aclose()


async def test_nobody_there_is_the_clients_error() -> None:
    """Who catches Redis's errors catches these."""
    client = connect("redis://127.0.0.1:1/0")
    with pytest.raises(RedisConnectionError):
        await Wire(client).execute(("PING",))
    await client.aclose()

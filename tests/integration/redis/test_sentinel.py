"""Real Sentinels over a real master and replica: every kind of client finds the master, before and after a failover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from celery import Celery
from redis.exceptions import RedisError
from redis_servers import SentinelGroup, redis_server, sentinel_group, until

from voicebackend._redis import HOT_TIMEOUT_S, connect, connect_sync
from voicebackend._wire import Wire
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import SESSIONS_EXPIRE, celery_settings

pytestmark = pytest.mark.own_redis("the servers themselves are tested")

FAILOVER_S = 15.0


@pytest.fixture
def group() -> Iterator[SentinelGroup]:
    with sentinel_group() as running:
        yield running


async def eventually(work: Callable[[], Awaitable[object]]) -> object:
    """Return what it returns once it does not fail."""
    async with asyncio.timeout(FAILOVER_S):
        while True:
            try:
                return await work()
            except (RedisError, OSError):
                await asyncio.sleep(0.05)


async def test_clients_follow_the_master(group: SentinelGroup) -> None:
    """A client and a wire write to the new master once the old one is dead, without being told."""
    client = connect(group.url, timeout_s=HOT_TIMEOUT_S)
    wire = Wire(client)
    try:
        await client.set("before", "1")
        assert await wire.execute(("GET", "before")) == [b"1"]
        with group.replica.client() as replica:
            until(lambda: replica.get("before") == "1")

        await asyncio.to_thread(group.master.kill)

        await eventually(lambda: client.set("after", "2"))
        assert await eventually(lambda: wire.execute(("GET", "before"), ("GET", "after"))) == [b"1", b"2"]
        assert await asyncio.to_thread(group.master_port) == group.replica.port
    finally:
        await client.aclose()


async def test_a_cancelled_write_ends_its_task(group: SentinelGroup) -> None:
    """Whether it was writing or asking a Sentinel for the master: after a cancellation the next one connects anew."""
    client = connect(group.url)

    async def write_for_ever() -> None:
        while True:
            await client.pipeline(transaction=False).exists("nothing").execute()  # type: ignore[misc]  # async in this client

    try:
        for steps in range(12):
            for _ in range(10):
                task = asyncio.create_task(write_for_ever(), name="write")
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                done, _ = await asyncio.wait({task}, timeout=20)
                assert done == {task}, f"after {steps} steps"
    finally:
        await client.aclose()


async def test_clients_leave_a_frozen_master(group: SentinelGroup) -> None:
    """A master that only does not answer is left as well: nobody waits on its connection."""
    client = connect(group.url, timeout_s=HOT_TIMEOUT_S)
    wire = Wire(client)
    try:
        await client.set("before", "1")
        await wire.execute(("PING",))
        group.master.freeze()

        await eventually(lambda: wire.execute(("SET", "after", "2")))
        assert await eventually(lambda: client.get("after")) == b"2"
    finally:
        group.master.thaw()
        await client.aclose()


def test_threads_and_celery_find_the_master(group: SentinelGroup) -> None:
    """The same URL serves the client of Celery's threads, and Celery itself."""
    client = connect_sync(group.url)
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings(group.url))
    try:
        client.set("key", "value")
        app.send_task("anything", queue="sessions")
        with group.master.client() as master:
            assert master.get("key") == "value"
            assert master.llen("vb:sessions") == 1
    finally:
        app.close()
        client.close()


async def test_the_publisher_finds_the_broker(group: SentinelGroup) -> None:
    """Tasks written past Celery land in the same queue."""
    publisher = CeleryPublisher(Deployment().with_redis(group.url))
    try:
        await publisher.publish(SESSIONS_EXPIRE)
    finally:
        await publisher.aclose()

    with group.master.client() as master:
        assert await asyncio.to_thread(master.llen, "vb:sessions") == 1


@pytest.fixture
async def demoted() -> AsyncIterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Give a server's URL, and how it becomes a replica and a master again."""
    with redis_server() as server, server.client() as admin:
        yield server.url, lambda: admin.replicaof("127.0.0.1", 1), lambda: admin.replicaof("NO", "ONE")


async def test_a_server_that_became_a_replica_is_left(
    demoted: tuple[str, Callable[[], object], Callable[[], object]],
) -> None:
    """An address that moves to the new master is connected to anew, so that READONLY is not the last word."""
    url, demote, promote = demoted
    client = connect(url)
    wire = Wire(client)
    try:
        await wire.execute(("SET", "key", "1"))
        await client.set("key", "2")
        demote()
        with pytest.raises(RedisError, match="replica now"):
            await wire.execute(("SET", "key", "3"))
        with pytest.raises(RedisError, match="replica now"):
            await client.set("key", "3")
        promote()
        await wire.execute(("SET", "key", "4"))
        await client.set("key", "5")
        assert await client.get("key") == b"5"
    finally:
        await client.aclose()

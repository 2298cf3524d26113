"""The one place where Redis connections are made, with the timeouts and retries that each use needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis as sync_redis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel as SyncSentinel

from voicebackend._cluster import ClusterClient
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidConfig, VoiceBackendError
from voicebackend.redis_url import RedisUrl, Topology

HOT_TIMEOUT_S = 0.5
"""For writes on the audio path: longer is as bad as never."""
STATE_TIMEOUT_S = 2.0
"""For records and leases."""
_NODE_CONNECTIONS = 64
"""To each node of a Cluster at most, or what is asked for: each stream that is read has one."""


def connect(url: str, *, timeout_s: float | None = STATE_TIMEOUT_S, max_connections: int = 64) -> Redis:
    """Return an asyncio client that never retries by itself (a retried XADD writes twice).

    ``timeout_s=None`` is for one connection that blocks on XREAD. Replies are bytes. Of ``redis+cluster://`` it is the
    Cluster client, which has the same commands.

    Raises:
        InvalidConfig: the URL is none.

    """
    parsed = _parsed(url)
    options = {**_options(timeout_s), "retry": AsyncRetry(NoBackoff(), 0), "max_connections": max_connections}
    if parsed.topology is Topology.CLUSTER:
        return _cluster(parsed, options)
    if parsed.topology is Topology.SENTINEL:
        pool = _sentinel_pool(parsed, options)
    else:
        pool = BlockingConnectionPool.from_url(url, timeout=timeout_s, **options)
    pool.connection_class = _careful(pool.connection_class)
    return Redis.from_pool(pool)


def _careful(kind: type[Any]) -> type[Any]:
    return type(f"Careful{kind.__name__}", (_CarefulConnection, kind), {})


def _options(timeout_s: float | None) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": STATE_TIMEOUT_S if timeout_s is None else min(timeout_s, STATE_TIMEOUT_S),
        "protocol": 2,
        "driver_info": None,  # to tell Redis its version, the client would look that up on disk for each connection
    }


def _parsed(url: str) -> RedisUrl:
    try:
        return RedisUrl.parse(url)
    except ValueError as error:
        raise InvalidConfig("redis", str(error)) from None  # the cause may show a password


def _cluster(url: RedisUrl, options: dict[str, Any]) -> Redis:
    """Return the Cluster client; each node's own client is as careful as one of a single server."""
    shared = {**options, **url.connection_options}

    def node(host: str, port: int) -> Redis:
        kind = _careful(SSLConnection if url.tls else Connection)
        plain = {**shared, "max_connections": max(shared["max_connections"], _NODE_CONNECTIONS)}
        plain.pop("ssl", None)
        pool = BlockingConnectionPool(
            host=host, port=port, connection_class=kind, timeout=options["socket_timeout"], **plain
        )
        return Redis.from_pool(pool)

    return cast("Redis", ClusterClient(url.hosts, node, _careful, **shared))


class _SentinelPool(BlockingConnectionPool, SentinelConnectionPool):
    """Connections to whichever server the Sentinels call the master now."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close connections, those to the Sentinels too where all are meant."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def _sentinel_pool(url: RedisUrl, options: dict[str, Any]) -> BlockingConnectionPool:
    asking = {**_options(HOT_TIMEOUT_S), "retry": AsyncRetry(NoBackoff(), 0), **url.sentinel_options}
    sentinels = Sentinel(url.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]  # the client has no types here
    for asked in sentinels.sentinels:  # whoever connects asks them: that is cancelled as well
        asked.connection_pool.connection_class = _careful(asked.connection_pool.connection_class)
    return _SentinelPool(
        service_name=url.service,
        sentinel_manager=sentinels,
        connection_class=SentinelManagedSSLConnection if url.tls else SentinelManagedConnection,
        timeout=options["socket_timeout"],
        **options,
        **url.connection_options,
    )


class _CarefulConnection:
    """A connection that can be cancelled, and that leaves a server which is no master any more."""

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Write a command, then end the task if it was cancelled meanwhile.

        On Python 3.11, the ``asyncio.wait_for`` of the Redis client may swallow that.
        """
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(*args, **options)  # type: ignore[misc]  # of the connection it is mixed into
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]  # its reply will not be read
            raise asyncio.CancelledError

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply; a server that says that it is a replica is asked nothing more."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]  # of the connection, as above
        except ReadOnlyError as error:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]  # of the connection, as above
            raise RedisConnectionError("this server is a replica now") from error


def connect_sync(url: str, *, timeout_s: float = STATE_TIMEOUT_S, max_connections: int = 256) -> sync_redis.Redis:
    """Return a client for Celery's threads, otherwise as :func:`connect`; there is none of a Cluster.

    Raises:
        InvalidConfig: the URL is none, or a Cluster's.

    """
    parsed = _parsed(url)
    options = {**_options(timeout_s), "retry": Retry(NoBackoff(), 0), "max_connections": max_connections}
    if parsed.topology is Topology.CLUSTER:
        raise InvalidConfig("redis", "only audio may lie in a Cluster")
    if parsed.topology is Topology.SENTINEL:
        asking = {**_options(HOT_TIMEOUT_S), "retry": Retry(NoBackoff(), 0), **parsed.sentinel_options}
        sentinels: Any = SyncSentinel(parsed.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]  # as above
        return cast("sync_redis.Redis", sentinels.master_for(parsed.service, **options, **parsed.connection_options))
    return sync_redis.Redis.from_url(url, **options)


@contextmanager
def redis_errors(op: str) -> Iterator[None]:
    """Translate Redis's errors into ours."""
    try:
        yield
    except RedisTimeoutError as error:
        raise ConnectionTimeout(op, "Redis did not answer in time") from error
    except RedisConnectionError as error:
        raise ConnectionFailed(op, "Redis is not reachable: check VOICEBACKEND_REDIS_URL and that it runs") from error
    except RedisError as error:
        raise _refused(op, error) from error


def _refused(op: str, error: RedisError) -> VoiceBackendError:
    return ConnectionFailed(op, f"Redis refused: {str(error).split(' ', 1)[0]}")

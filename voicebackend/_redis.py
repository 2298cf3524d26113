"""The one place where Redis connections are made, with the timeouts and retries that each use needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis as sync_redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from voicebackend.errors import ConnectionFailed, ConnectionTimeout, VoiceBackendError

HOT_TIMEOUT_S = 0.5
"""For writes on the audio path: longer is as bad as never."""
STATE_TIMEOUT_S = 2.0
"""For records and leases."""


def connect(url: str, *, timeout_s: float | None = STATE_TIMEOUT_S, max_connections: int = 64) -> Redis:
    """Return an asyncio client that never retries by itself (a retried XADD writes twice).

    ``timeout_s=None`` is for one connection that blocks on XREAD. Replies are bytes.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=STATE_TIMEOUT_S,
        protocol=2,
        retry=AsyncRetry(NoBackoff(), 0),
        health_check_interval=0,
    )
    kind: type[Any] = pool.connection_class
    cancellable: type[Any] = type(f"Cancellable{kind.__name__}", (_CancellableWrites, kind), {})
    pool.connection_class = cancellable
    return Redis.from_pool(pool)


class _CancellableWrites:
    """Lets a task be cancelled while it writes: on Python 3.11, redis-py's ``asyncio.wait_for`` may swallow that."""

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Write a command, then end the task if it was cancelled meanwhile."""
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(*args, **options)  # type: ignore[misc]  # of the connection it is mixed into
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]  # its reply will not be read
            raise asyncio.CancelledError


def connect_sync(url: str, *, timeout_s: float = STATE_TIMEOUT_S, max_connections: int = 256) -> sync_redis.Redis:
    """Return a client for Celery's threads, otherwise as :func:`connect`."""
    return sync_redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=STATE_TIMEOUT_S,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        max_connections=max_connections,
    )


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

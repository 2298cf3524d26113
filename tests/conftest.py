"""Fixtures for every test: a real Redis of the test run's own, and proof that nothing is left behind in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis as sync_redis
from redis.asyncio import Redis
from redis_harness import leaked_keys, running_redis

from voicebackend._redis import connect
from voicebackend.settings import Deployment


def pytest_configure() -> None:
    """Keep pytest-asyncio from making an event loop that nobody closes, when the first test is a sync one."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """Run one redis-server for the whole test run."""
    with running_redis() as socket:
        yield socket


@pytest.fixture(scope="session")
def stack_redis() -> Iterator[Path]:
    """Run a second redis-server, for the development stack, which no test may flush."""
    with running_redis() as socket:
        yield socket


@pytest.fixture
def redis_url(redis_socket: Path) -> Iterator[str]:
    """Give an empty Redis, and fail the test if it leaves a key that never expires and is not on the named list."""
    with sync_redis.Redis(unix_socket_path=str(redis_socket)) as client:
        client.flushall()
        yield f"unix://{redis_socket}"
        leaked = leaked_keys(client)
        client.flushall()
    assert leaked == [], f"keys without a time to live were left in Redis: {leaked}"


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

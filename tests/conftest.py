"""Fixtures for every test: a real Redis of the test run's own, and proof that nothing is left behind in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis_roles import RedisRoles, apart, redis_roles
from topology_report import pytest_collection_modifyitems, pytest_runtest_makereport, pytest_terminal_summary

from voicebackend._redis import connect
from voicebackend.settings import Deployment

__all__ = ["pytest_collection_modifyitems", "pytest_runtest_makereport", "pytest_terminal_summary"]


def pytest_configure() -> None:
    """Keep pytest-asyncio from making an event loop that nobody closes, when the first test is a sync one."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def roles() -> Iterator[RedisRoles]:
    """Run the Redis of the whole test run: one server, or one for each role."""
    with redis_roles() as running:
        yield running


@pytest.fixture(scope="session")
def stack_redis() -> Iterator[RedisRoles]:
    """Run a second one, for the development stack, which no test may flush."""
    with redis_roles() as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _another_master(request: pytest.FixtureRequest) -> None:
    """Hold every test file on other masters than the file before, where Sentinels have two."""
    if apart():
        request.getfixturevalue("roles").fail_over()


@pytest.fixture
def redis_url(roles: RedisRoles) -> Iterator[str]:
    """Give an empty Redis for state, and fail the test if a role keeps a key that may not live for ever."""
    roles.flush()
    yield roles.state_url
    leaked = roles.leaked()
    roles.flush()
    assert leaked == [], f"keys without a time to live were left in Redis: {leaked}"


@pytest.fixture
def deployment(redis_url: str, roles: RedisRoles, tmp_path: Path) -> Deployment:
    """Give a deployment on the test's Redis, a free port and a private home."""
    made = Deployment(
        port=0,
        home=tmp_path / "home",
        api_keys={"test-key-0123456789": "default", "other-key-0123456789": "other"},
        token_secret="test-secret-of-at-least-32-bytes-long",
    )
    return roles.of(made)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """Give a client of the test's Redis for state."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def audio(redis_url: str, roles: RedisRoles) -> AsyncIterator[Redis]:
    """Give a client of the test's Redis for audio, which may be the same server."""
    client = connect(roles.audio_url)
    yield client
    await client.aclose()


@pytest.fixture
async def broker(redis_url: str, roles: RedisRoles) -> AsyncIterator[Redis]:
    """Give a client of the test's Redis for Celery's queues, which may be the same server."""
    client = connect(roles.broker_url)
    yield client
    await client.aclose()

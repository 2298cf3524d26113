"""Two real beats: one leads, the other takes over when the first is gone, and nothing is left in the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery_harness import CeleryProcess, celery_process, eventually
from redis import Redis as SyncRedis

from voicebackend._redis import connect_sync
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue

pytestmark = pytest.mark.integration

LEADS, STANDS_BY = "leader: leads now", "leader: stands by"


@pytest.fixture
def redis_sync(redis_url: str) -> Iterator[SyncRedis]:
    """Give a client of state."""
    with connect_sync(redis_url) as client:
        yield client


@pytest.fixture
def broker(deployment: Deployment) -> Iterator[SyncRedis]:
    """Give a client of the broker's Redis."""
    with connect_sync(deployment.broker_url) as client:
        yield client


@pytest.fixture
def beats(deployment: Deployment, tmp_path: Path) -> Iterator[tuple[CeleryProcess, CeleryProcess]]:
    """Run a leader and a standby."""
    with celery_process(deployment, tmp_path / "first", "beat") as first:
        first.wait_for(LEADS)
        with celery_process(deployment, tmp_path / "second", "beat") as second:
            second.wait_for(STANDS_BY)
            yield first, second


def sent(broker: SyncRedis) -> list[dict[str, object]]:
    """Return the headers of the messages that wait in the sessions queue."""
    return [json.loads(raw)["headers"] for raw in broker.lrange(f"vb:{Queue.SESSIONS}", 0, -1)]


def test_the_leader_sends_what_is_due_to_its_queue_with_a_deadline(
    beats: tuple[CeleryProcess, CeleryProcess], broker: SyncRedis
) -> None:
    """What looks after sessions, their queue and webhooks that are due, and only the leader sends it."""
    due = {"sessions.expire", "sessions.queue", "webhooks.sweep"}
    eventually(lambda: {header["task"] for header in sent(broker)} >= due)
    assert {header["task"] for header in sent(broker)} == due
    assert all(header["expires"] for header in sent(broker))
    assert not any(line["message"] == LEADS for line in beats[1].logged())


def test_the_standby_takes_over_when_the_leader_is_killed(
    beats: tuple[CeleryProcess, CeleryProcess], broker: SyncRedis
) -> None:
    """Within the lock's ten seconds, and it sends."""
    first, second = beats
    first.kill()
    before = len(sent(broker))
    second.wait_for(LEADS, 20)
    eventually(lambda: len(sent(broker)) > before)


def test_a_leader_that_is_ended_lets_the_standby_lead_at_once_and_leaves_no_file(
    beats: tuple[CeleryProcess, CeleryProcess], deployment: Deployment, redis_sync: SyncRedis, tmp_path: Path
) -> None:
    """SIGTERM exits with 0 and gives the lock back."""
    first, second = beats
    assert first.terminate() == 0
    second.wait_for(LEADS, 5)
    assert second.terminate() == 0
    assert redis_sync.get(deployment.keys.leader("beat")) is None
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["log"]


def test_a_leader_that_loses_its_lock_stands_by_and_lives(
    beats: tuple[CeleryProcess, CeleryProcess], deployment: Deployment, redis_sync: SyncRedis
) -> None:
    """Someone else holds it now: pause, do not crash."""
    first, _ = beats
    redis_sync.set(deployment.keys.leader("beat"), "someone-else", ex=60)
    first.wait_for(STANDS_BY, 20)
    assert first.process.poll() is None

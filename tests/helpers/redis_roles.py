"""The Redis that tests are given: one server for every role, or what a large deployment has.

With ``VOICEBACKEND_TEST_REDIS=cluster``, audio lies in a Cluster of three masters, state and broker each on a master
with a replica under three Sentinels, all of them real processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import redis as sync_redis
from redis_harness import leaked_keys, running_redis
from redis_servers import RedisProcess, SentinelGroup, cluster_url, redis_cluster, sentinel_group

from voicebackend._redis import connect_sync
from voicebackend.settings import Deployment

VARIABLE = "VOICEBACKEND_TEST_REDIS"
CLUSTER = "cluster"
Running = TypeVar("Running")
_taken_in: set[str] = set()
"""Files whose tests were given servers."""
PATIENT_MS = 5000
"""Milliseconds until Sentinels give a master up that does not answer: tests share the machine."""


def apart() -> bool:
    """Tell whether tests are given a Cluster and Sentinels.

    Raises:
        ValueError: the variable has another value.

    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", CLUSTER}:
        raise ValueError(f"{VARIABLE} is {CLUSTER} or not set")
    return wanted == CLUSTER


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisRoles:
    """Where each role's Redis is, and the processes behind it if they are apart."""

    state_url: str
    audio_url: str
    broker_url: str
    groups: tuple[SentinelGroup, ...] = ()
    """State's and the broker's."""
    nodes: tuple[RedisProcess, ...] = ()
    """Audio's."""

    @property
    def urls(self) -> dict[str, str]:
        """Return the fields of a ``Deployment``."""
        return {"state_url": self.state_url, "audio_url": self.audio_url, "broker_url": self.broker_url}

    def of(self, deployment: Deployment) -> Deployment:
        """Return a deployment that is here."""
        return replace(deployment, state_url=self.state_url, audio_url=self.audio_url, broker_url=self.broker_url)

    @contextmanager
    def clients(self) -> Iterator[list[sync_redis.Redis]]:
        """Give a client of each server that has keys."""
        urls = dict.fromkeys([self.state_url, self.broker_url, *(node.url for node in self.nodes)])
        with ExitStack() as stack:
            yield [stack.enter_context(connect_sync(url)) for url in urls]

    def audio_pids(self) -> list[int]:
        """Return the processes that have audio."""
        pids = []
        for url in [node.url for node in self.nodes] or [self.audio_url]:
            with connect_sync(url) as client:
                told: Any = client.info("server")
                pids.append(int(told["process_id"]))
        return pids

    def flush(self) -> None:
        """Delete every key."""
        with self.clients() as clients:
            for client in clients:
                client.flushall()

    def leaked(self) -> list[str]:
        """Return the keys that never expire and may not."""
        with self.clients() as clients:
            return [name for client in clients for name in leaked_keys(client)]

    def fail_over(self) -> None:
        """Have the Sentinels name the other server of each pair."""
        for group in self.groups:
            group.fail_over()


@contextmanager
def redis_roles() -> Iterator[RedisRoles]:
    """Run what tests are to be given, until the context is left."""
    if apart():
        _taken_in.add(_file_of(os.environ.get("PYTEST_CURRENT_TEST", "")))
        with cluster_and_sentinels() as roles:
            yield roles
        return
    with running_redis() as socket:
        url = f"unix://{socket}"
        yield RedisRoles(state_url=url, audio_url=url, broker_url=url)


def taken_in(test: str) -> bool:
    """Tell whether the file of a test, by its id, was given servers of its own."""
    return _file_of(test) in _taken_in


def _file_of(test: str) -> str:
    return test.partition("::")[0]


@contextmanager
def cluster_and_sentinels(*options: str, down_after_ms: int = PATIENT_MS) -> Iterator[RedisRoles]:
    """Run a Cluster for audio, and Sentinels for state and for the broker; ``options`` are of the latter's servers."""
    with ThreadPoolExecutor(3) as threads, ExitStack() as stack:  # each waits seconds until its servers have met

        def begin(running: AbstractContextManager[Running]) -> Future[Running]:
            return threads.submit(stack.enter_context, running)

        cluster = begin(redis_cluster("--cluster-require-full-coverage", "no"))
        pairs = [begin(sentinel_group(*options, down_after_ms=down_after_ms)) for _ in range(2)]
        nodes, (state, broker) = cluster.result(), [pair.result() for pair in pairs]
        yield RedisRoles(
            state_url=state.url,
            audio_url=cluster_url(nodes),
            broker_url=broker.url,
            groups=(state, broker),
            nodes=tuple(nodes),
        )

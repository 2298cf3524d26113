"""A Redis that would drop keys is warned about once at the start, by role."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from redis_servers import cluster_url, redis_cluster, redis_server

from voicebackend.redis_check import warn_of_eviction
from voicebackend.settings import Deployment

pytestmark = pytest.mark.own_redis("the servers themselves are tested")


async def test_a_role_that_evicts_keys_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """One line for the server, with its roles and policy; none for one that refuses writes instead."""
    with redis_server("--maxmemory-policy", "allkeys-lru") as evicting, redis_server() as refusing:
        deployment = replace(Deployment().with_redis(evicting.url), audio_url=refusing.url)
        with caplog.at_level(logging.WARNING):
            await warn_of_eviction(deployment)

    (line,) = caplog.records
    assert "noeviction" in line.message
    assert (vars(line)["roles"], vars(line)["policy"]) == (["state", "broker"], "allkeys-lru")


async def test_a_cluster_is_looked_at_too(caplog: pytest.LogCaptureFixture) -> None:
    """Its nodes tell one by one."""
    caplog.set_level(logging.WARNING)
    with redis_server() as server, redis_cluster("--maxmemory-policy", "volatile-ttl") as nodes:
        await warn_of_eviction(replace(Deployment().with_redis(server.url), audio_url=cluster_url(nodes)))

    assert [vars(line)["roles"] for line in caplog.records if "noeviction" in line.message] == [["audio"]]


async def test_a_redis_that_is_not_there_is_somebody_else_s_error(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever needs it says so."""
    with caplog.at_level(logging.WARNING):
        await warn_of_eviction(Deployment().with_redis("redis://127.0.0.1:1"))

    assert caplog.records == []

"""URLs of the roles: what is read from them, and what is refused without showing it."""

from __future__ import annotations

import pytest

from voicebackend._redis import connect, connect_sync
from voicebackend.celery_broker import broker_options, broker_tls, broker_url
from voicebackend.errors import InvalidConfig
from voicebackend.redis_url import RedisUrl, Topology
from voicebackend.settings import Deployment

SENTINELS = "redis+sentinel://me:s%2Fcret@one:26379,two,[::1]:26380/main/3?sentinel_password=watch"
BAD = [
    "",
    "localhost:6379",
    "http://secret@host",
    "redis://secret@host:port/0",
    "redis://:secret@host:99999",
    "unix+sentinel:///secret",
    "redis+unknown://secret@host",
    "redis+sentinel://:secret@host:26379",
    "redis+sentinel://:secret@host:26379/main/zero",
    "redis+sentinel://:secret@host:0/main",
    "redis+sentinel://:secret@/main",
    "redis+sentinel://host/main?secret=1",
    "redis+cluster://:secret@host:6379/1",
    "redis+cluster://host:6379?sentinel_password=secret",
]


def test_a_url_of_sentinels_names_hosts_master_and_database() -> None:
    """Ports may be left out; what is escaped is read as it was meant."""
    url = RedisUrl.parse(SENTINELS)

    assert url.topology is Topology.SENTINEL
    assert url.hosts == (("one", 26379), ("two", 26379), ("::1", 26380))
    assert (url.service, url.db) == ("main", 3)
    assert url.connection_options == {"db": 3, "username": "me", "password": "s/cret"}
    assert url.sentinel_options == {"password": "watch"}


def test_a_url_of_a_cluster_names_nodes() -> None:
    """Any node will do; over TLS if it says so."""
    url = RedisUrl.parse("rediss+cluster://:pw@one:7000,two:7001?ssl_ca_certs=/ca.pem")

    assert url.topology is Topology.CLUSTER
    assert url.hosts == (("one", 7000), ("two", 7001))
    assert url.connection_options == {"ssl": True, "ssl_ca_certs": "/ca.pem", "password": "pw"}


@pytest.mark.parametrize("url", ["redis://host:6379/1", "rediss://u:p@host", "unix:///run/redis.sock?db=2"])
def test_a_url_of_one_server_is_left_to_the_client(url: str) -> None:
    """What the client reads itself is only checked."""
    assert RedisUrl.parse(url).topology is Topology.SERVER


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_url_is_refused_and_not_shown(url: str) -> None:
    """The message names the variable and the forms, and nothing of what was given."""
    with pytest.raises(InvalidConfig) as caught:
        Deployment.from_env({"VOICEBACKEND_AUDIO_URL": url or " "})

    assert caught.value.details["field"] == "VOICEBACKEND_AUDIO_URL"
    assert "secret" not in f"{caught.value} {caught.value.__cause__}".lower().replace("sentinel_password", "")


@pytest.mark.parametrize("variable", ["VOICEBACKEND_STATE_URL", "VOICEBACKEND_BROKER_URL", "VOICEBACKEND_REDIS_URL"])
def test_only_audio_may_be_a_cluster(variable: str) -> None:
    """Records and leases are changed together, and Celery has no Cluster broker."""
    with pytest.raises(InvalidConfig, match="only VOICEBACKEND_AUDIO_URL"):
        Deployment.from_env({variable: "redis+cluster://host:7000", "VOICEBACKEND_AUDIO_URL": "redis://host"})


def test_a_deployment_shows_no_password() -> None:
    """Its repr leaves the addresses out."""
    deployment = Deployment.from_env({"VOICEBACKEND_REDIS_URL": "redis://:hidden@host:6379/0"})

    assert deployment.state_url == "redis://:hidden@host:6379/0"
    assert "hidden" not in repr(deployment)
    assert "s/cret" not in repr(RedisUrl.parse(SENTINELS))


def test_celery_is_told_of_sentinels_in_its_own_words() -> None:
    """Each Sentinel with the master's login; the master's name and the Sentinels' login beside it."""
    assert broker_url(SENTINELS) == (
        "sentinel://me:s%2Fcret@one:26379/3;sentinel://me:s%2Fcret@two:26379/3;sentinel://me:s%2Fcret@[::1]:26380/3"
    )
    options = broker_options(SENTINELS)
    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"]["password"] == "watch"
    assert broker_tls("rediss+sentinel://one/main?ssl_ca_certs=/ca.pem") == {
        "broker_use_ssl": {"ssl_ca_certs": "/ca.pem"}
    }


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("redis://host:6379/1", "redis://host:6379/1"),
        ("unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
    ],
)
def test_celery_is_told_of_one_server_in_its_own_words(url: str, spelled: str) -> None:
    """A unix socket has another scheme there."""
    assert broker_url(url) == spelled
    assert broker_tls(url) == {}


def test_what_needs_one_server_refuses_a_cluster() -> None:
    """Before anything is connected."""
    with pytest.raises(InvalidConfig, match="Celery has no broker"):
        broker_url("redis+cluster://host:7000")
    with pytest.raises(InvalidConfig, match="only audio"):
        connect_sync("redis+cluster://host:7000")
    with pytest.raises(InvalidConfig, match="begins with"):
        connect("nonsense")

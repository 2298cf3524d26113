"""A real LiveKit server: built from its source once, and run in a network namespace where its media can flow."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from environment import BUILD, missing

VERSION = "v1.13.5"
"""The last whose ``go.mod`` lets it be installed by name."""
PACKAGE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
KEY, SECRET = "test-key", "not-a-secret-but-long-enough-for-hs256"
ADDRESS = "10.99.0.1"
"""As ``livekit_namespace.sh`` gives it."""
URL = "ws://127.0.0.1:7880"
INSIDE = "VOICEBACKEND_NAMESPACE"
"""Set within the namespace."""
_OLDEST_GO = (1, 26)
_BUILD_S = 1800.0
_START_S = 20.0


def server() -> Path:
    """Return the server, built now if it is not there (some minutes); it blocks. Without Go it is ``missing``."""
    home = BUILD / f"livekit-server-{VERSION}"
    binary = home / "server"
    home.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(home)
    return binary


def _build(home: Path) -> None:
    go = shutil.which("go")
    told = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout if go else ""
    found = re.search(r"go(\d+)\.(\d+)", told)
    if go is None or found is None or (int(found[1]), int(found[2])) < _OLDEST_GO:
        missing("livekit-server", "it is built by Go 1.26 or newer")
    done = subprocess.run(
        [go, "install", PACKAGE],
        env={**os.environ, "GOBIN": str(home)},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if done.returncode:
        missing("livekit-server", (done.stderr.strip() or "it cannot be built").splitlines()[-1])


def in_namespace(test: str, *, s: float = 420) -> None:
    """Run a test of this folder in a namespace of its own, ``s`` seconds at most; it blocks.

    Raises:
        AssertionError: it failed, or was skipped, with what it said.

    """
    server()
    here = Path(__file__).parent
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    enter = [*unshare, "sh", str(here / "livekit_namespace.sh")]
    if shutil.which("unshare") is None or subprocess.run([*enter, "true"], capture_output=True, check=False).returncode:
        missing("network namespace", "it takes Linux, iproute2, and root or user namespaces")
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--timeout={s:g}"]
    inner = [sys.executable, "-m", "pytest", *quiet, str(here / test)]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*enter, *inner],
        env={**variables, INSIDE: "1"},
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        timeout=s,
        check=False,
    )
    passed = done.returncode == 0 and re.search(r"^1 passed", done.stdout, re.MULTILINE)
    assert passed, f"{test}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


class LiveKitServer:
    """One that runs, in the namespace, and can be killed and started anew."""

    def __init__(self, webhook_url: str = "") -> None:
        hook = f"webhook:\n  api_key: {KEY}\n  urls: ['{webhook_url}']\n" if webhook_url else ""
        rtc = "rtc:\n  use_external_ip: false\n  udp_port: 7882\n  tcp_port: 7881\n"
        self._config = f"port: 7880\n{rtc}{hook}logging:\n  level: error\n"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; returns once it answers."""
        self._process = await asyncio.create_subprocess_exec(
            str(server()),
            *("--bind", "127.0.0.1", "--bind", ADDRESS, "--node-ip", ADDRESS),
            *("--keys", f"{KEY}: {SECRET}", "--config-body", self._config),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_START_S), aiohttp.ClientSession() as client:
            while True:
                with suppress(aiohttp.ClientError):
                    async with client.get(URL.replace("ws", "http")) as answer:
                        if answer.ok:
                            return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def livekit_server(webhook_url: str = "") -> AsyncIterator[LiveKitServer]:
    """Run a server, within the namespace, while a test lasts."""
    running = LiveKitServer(webhook_url)
    await running.start()
    try:
        yield running
    finally:
        await running.kill()

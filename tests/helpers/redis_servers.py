"""Redis servers on TCP that can be killed, frozen and started again; Sentinels over them; a Cluster of them."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import redis as sync_redis
from redis_harness import find_redis_server

START_S = 30.0
FAILOVER_S = 60.0
BUS = 10_000
"""A Cluster's nodes listen so far above their port too."""
LAST_PORT = 65_535 - BUS
TRIES = 5
SLOTS = 16_384
PERSISTENT = ("--appendonly", "yes", "--appendfsync", "always")
"""For servers whose role must remember."""


def free_port() -> int:
    """Return a TCP port that nobody listens on now, low enough for a Cluster."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = int(listening.getsockname()[1])
        if port < LAST_PORT and _is_free(port + BUS):
            return port


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def until(check: Callable[[], object], timeout_s: float = START_S) -> None:
    """Return once this holds; a Redis that does not answer yet does not hold."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if check():
                return
        except sync_redis.RedisError:
            pass
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


class RedisProcess:
    """One server, on one port and in one folder for as long as its tests want it."""

    def __init__(self, folder: Path, *options: str, port: int | None = None, sentinel: bool = False) -> None:
        self.port, self._chosen = port or free_port(), port is None
        folder.mkdir(parents=True, exist_ok=True)
        common = ("--bind", "127.0.0.1", "--dir", str(folder), "--loglevel", "warning")
        config = folder / "redis.conf"
        config.touch()
        mode = ("--sentinel",) if sentinel else ("--save", "")
        self._command = [find_redis_server(), str(config), *common, *mode, *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def client(self) -> Iterator[sync_redis.Redis]:
        """Give a client for a test's own questions."""
        with sync_redis.Redis(port=self.port, socket_timeout=2, decode_responses=True) as client:
            yield client

    def start(self) -> None:
        """Start it, and wait until it answers and has its data."""
        for _ in range(TRIES):
            if self._comes_up():
                self._chosen = False  # it is known by its port now
                return
            assert self._chosen, "it ended, or it does not answer"
            self.port = free_port()  # somebody else was quicker
        raise AssertionError("no port was free")

    def _comes_up(self) -> bool:
        command = [*self._command, "--port", str(self.port)]
        process = self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.client() as client:
            until(lambda: process.poll() is not None or client.ping(), START_S)
        return process.poll() is None

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Have it not answer, while the machine still takes connections for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(*options: str) -> Iterator[RedisProcess]:
    """Run one server."""
    with tempfile.TemporaryDirectory(prefix="vb-") as folder:
        server = RedisProcess(Path(folder), *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


class SentinelGroup:
    """A master, a replica, and three Sentinels that watch them."""

    def __init__(self, master: RedisProcess, replica: RedisProcess, sentinels: list[RedisProcess]) -> None:
        self.master, self.replica, self.sentinels = master, replica, sentinels

    @property
    def url(self) -> str:
        """Where the Sentinels are, and what they call the master."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{it.port}' for it in self.sentinels)}/main/0"

    def master_port(self) -> int:
        """Return the port of the server that the first Sentinel calls the master."""
        port = _master_of(self.sentinels[0])
        assert port is not None
        return port

    def fail_over(self) -> None:
        """Have the Sentinels name the other server while both run, and wait until the old one follows it."""
        before = self.master_port()
        old = self.master if self.master.port == before else self.replica
        with self.sentinels[0].client() as sentinel:
            until(lambda: sentinel.sentinel_failover("main"), FAILOVER_S)
        until(lambda: all(_master_of(it) not in {None, before} for it in self.sentinels), FAILOVER_S)
        with old.client() as client:
            until(lambda: _follows(client), FAILOVER_S)


def _follows(server: sync_redis.Redis) -> bool:
    """Tell whether a server is a replica that has what its master has."""
    told: Any = server.info("replication")
    return told.get("master_link_status") == "up"


def _master_of(sentinel: RedisProcess) -> int | None:
    """Return the port of the server that a Sentinel calls the master."""
    with sentinel.client() as client:
        address: Any = client.sentinel_get_master_addr_by_name("main")
        return int(address[1]) if address else None


@contextmanager
def sentinel_group(*options: str, down_after_ms: int = 500) -> Iterator[SentinelGroup]:
    """Run a master with a replica under three Sentinels."""
    with tempfile.TemporaryDirectory(prefix="vb-") as name, ExitStack() as stack:
        folder = Path(name)

        def run(server: RedisProcess) -> RedisProcess:
            server.start()
            stack.callback(server.kill)
            return server

        master = run(RedisProcess(folder / "master", *options))
        replica = run(RedisProcess(folder / "replica", *options, "--replicaof", "127.0.0.1", str(master.port)))
        sentinels = [run(RedisProcess(folder / f"sentinel{number}", sentinel=True)) for number in range(3)]
        with replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        for sentinel in sentinels:
            with sentinel.client() as client:
                client.sentinel_monitor("main", "127.0.0.1", master.port, 2)
                client.sentinel_set("main", "down-after-milliseconds", down_after_ms)
                client.sentinel_set("main", "failover-timeout", 5000)
        for sentinel in sentinels:
            with sentinel.client() as client:
                until(lambda asked=client: _sees_all(asked))
        yield SentinelGroup(master, replica, sentinels)


def _sees_all(sentinel: sync_redis.Redis) -> bool:
    seen: Any = sentinel.sentinel_master("main")
    return bool(seen["num-other-sentinels"] == 2 and seen["num-slaves"] == 1)


@contextmanager
def redis_cluster(*options: str) -> Iterator[list[RedisProcess]]:
    """Run a Cluster of three masters without replicas."""
    with tempfile.TemporaryDirectory(prefix="vb-") as name, ExitStack() as stack:
        nodes = [
            RedisProcess(
                Path(name) / str(number), "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", *options
            )
            for number in range(3)
        ]
        for number, node in enumerate(nodes):
            node.start()
            stack.callback(node.kill)
            with node.client() as client:
                slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
                client.execute_command("CLUSTER ADDSLOTS", *slots)
                if number:
                    client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
        until_whole(nodes)
        yield nodes


def until_whole(nodes: list[RedisProcess]) -> None:
    """Return once every node of a Cluster knows who has every slot."""
    for node in nodes:
        with node.client() as client:
            until(lambda asked=client: _is_whole(asked))


def _is_whole(node: sync_redis.Redis) -> bool:
    told: Any = node.execute_command("CLUSTER INFO")
    return bool(told["cluster_state"] == "ok")


def cluster_url(nodes: list[RedisProcess]) -> str:
    """Return the URL of a Cluster."""
    return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in nodes)}"

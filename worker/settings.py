"""The worker's own settings, from the environment."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from voicebackend.errors import InvalidConfig

MAX_LANES = 64
MAX_PROCESSES = 256
_MOST = 1_000_000_000
_DIGITS = re.compile("[0-9]{1,10}")


def new_worker_id() -> str:
    """Return a name that no worker has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How this worker holds its lanes and uses the machine."""

    lanes: int = 4
    """Lanes to lease; 2 to 4 cost the least."""
    id: str = field(default_factory=new_worker_id)
    """Unique among workers, also over restarts."""
    engine_threads: int = field(default_factory=cores)
    """Threads of each engine: the machine's cores, shared out over the worker processes on it."""

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] = os.environ, *, worker: str | None = None, processes: int = 1
    ) -> Self:
        """Read ``VOICEBACKEND_LANES`` and ``VOICEBACKEND_ENGINE_THREADS``.

        ``worker`` is its id, or it gets a new one; ``processes`` share the machine.

        Raises:
            InvalidConfig: one is no number in its range; the details name it.

        """
        share = -(-cores() // processes)
        return cls(
            id=worker or new_worker_id(),
            lanes=_number(environ, "VOICEBACKEND_LANES", 4, 1, MAX_LANES),
            engine_threads=_number(environ, "VOICEBACKEND_ENGINE_THREADS", share, 1, 1024),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """How many worker processes run on this machine, and how long each."""

    processes: int = 1
    """Worker processes; 0 is one without a supervisor."""
    recycle_sessions: int = 0
    """Sessions after which a process is replaced by a fresh one; 0 never."""
    recycle_mb: int = 0
    """Growth of resident memory since it was ready, in 10^6 bytes, after which it is; 0 never."""
    drain_s: int = 60
    """Seconds that a process has to hand its sessions over before it is killed."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, processes: int | None = None) -> Self:
        """Read ``VOICEBACKEND_PROCESSES``, ``…_RECYCLE_SESSIONS``, ``…_RECYCLE_MB`` and ``…_DRAIN_S``.

        ``processes``, from the command line, counts more than the variable.

        Raises:
            InvalidConfig: one is no number in its range; the details name it.

        """
        if processes is not None:
            environ = {**environ, "VOICEBACKEND_PROCESSES": str(processes)}
        return cls(
            processes=_number(environ, "VOICEBACKEND_PROCESSES", 1, 0, MAX_PROCESSES),
            recycle_sessions=_number(environ, "VOICEBACKEND_RECYCLE_SESSIONS", 0, 0, _MOST),
            recycle_mb=_number(environ, "VOICEBACKEND_RECYCLE_MB", 0, 0, _MOST),
            drain_s=_number(environ, "VOICEBACKEND_DRAIN_S", 60, 1, 86_400),
        )


def _number(environ: Mapping[str, str], variable: str, default: int, least: int, most: int) -> int:
    text = environ.get(variable) or str(default)
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidConfig("worker", f"{variable}: a number from {least} to {most}", details={"field": variable})
    return int(text)


def lane_caps(lanes: list[int], max_sessions: int) -> dict[int, int]:
    """Share the worker's sessions out over its lanes, exactly; 0 means unlimited, and then in every lane."""
    base, extra = divmod(max_sessions, len(lanes)) if lanes else (0, 0)
    return {lane: base + (index < extra) for index, lane in enumerate(lanes)}

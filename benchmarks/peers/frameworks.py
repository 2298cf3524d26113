"""Other frameworks' calls: their packages, each in an environment of its own, in a process for each core."""

from __future__ import annotations

import asyncio
import json
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.caller import Tally
from benchmarks.measure import Usage, cores, usage
from benchmarks.processes import shares

WARM_UP_S = 6.0
_LEAD_S, _OPEN_S, _END_S = 0.5, 120.0, 60.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One of them."""

    name: str
    environment: str
    """Folder of its virtual environment, made by ``benchmarks/turn_ends/peers/setup.sh``."""
    module: str


FRAMEWORKS = (
    Framework(name="Pipecat 1.14.0", environment="pipecat", module="benchmarks.peers.pipecat_call"),
    Framework(name="LiveKit Agents 1.8.9", environment="livekit", module="benchmarks.peers.livekit_call"),
)


def installed(environments: Path) -> list[Framework]:
    """Return those that have an environment in this folder."""
    return [framework for framework in FRAMEWORKS if _python(environments, framework).exists()]


async def converse(
    framework: Framework, environments: Path, sessions: int, seconds: float
) -> tuple[Tally, Usage, Usage]:
    """Hold calls through a framework; return what was seen, and the usage before and after what was counted."""
    python = str(_python(environments, framework).absolute())
    processes = [
        await _started([python, "-m", framework.module, "--sessions", str(share), "--seconds", str(seconds)], seed)
        for seed, share in enumerate(shares(sessions, min(cores(), sessions)), start=1)
    ]
    try:
        return await _converse(processes, seconds)
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _converse(processes: Sequence[Process], seconds: float) -> tuple[Tally, Usage, Usage]:
    for process in processes:
        await _line(process, _OPEN_S)
    start = time.monotonic() + _LEAD_S
    for process in processes:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.write(f"{start}\n".encode())
        await process.stdin.drain()
    pids: Mapping[str, int] = {f"process-{number}": process.pid for number, process in enumerate(processes)}
    await asyncio.sleep(start + WARM_UP_S - time.monotonic())
    before = usage(pids, ())
    await asyncio.sleep(start + WARM_UP_S + seconds - time.monotonic())
    after = usage(pids, ())
    tally = Tally()
    for process in processes:
        tally.add(Tally(**json.loads(await _line(process, _END_S))))
    return tally, before, after


async def _started(command: Sequence[str], seed: int) -> Process:
    env = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    return await asyncio.create_subprocess_exec(
        *command, "--seed", str(seed), env=env, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=64 * 1024 * 1024
    )


async def _line(process: Process, timeout_s: float) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async with asyncio.timeout(timeout_s):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a framework's process ended with {await process.wait()}")
    return line


def _python(environments: Path, framework: Framework) -> Path:
    return environments / framework.environment / "bin" / "python"

"""Scripts in a peer's own environment: run to their end, or served from while a test lasts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PEERS = Path(__file__).parent
READY = "ready "
"""Begins the line by which a server tells its port."""
START_S = 60.0
"""Seconds that a server may take to be ready."""
STOP_S = 5.0
"""Seconds that a process may take to end when asked to."""


async def run(python: Path, script: str, *args: str, variables: Mapping[str, str] | None = None, s: float = 60) -> str:
    """Run a script of this folder with a peer's Python to its end, ``s`` seconds at most; return what it printed.

    Raises:
        AssertionError: it failed, with what it said; or it was too slow.

    """
    process = await _started(python, script, args, variables, errors=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(s):
            out, errors = await process.communicate()
    except TimeoutError:
        raise AssertionError(f"{script} did not end within {s} s") from None
    finally:
        await _stopped(process)
    assert process.returncode == 0, f"{script} failed ({process.returncode}):\n{errors.decode()[-4000:]}"
    return out.decode()


@asynccontextmanager
async def serving(
    python: Path, script: str, *args: str, variables: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """Run a server of this folder; give the port that it tells by a line ``ready PORT``, and end it afterwards.

    Raises:
        AssertionError: it ended before it was ready.

    """
    process = await _started(python, script, args, variables, errors=None)
    try:
        async with asyncio.timeout(START_S):
            port = await _port(process, script)
        reader = asyncio.create_task(_drain(process), name=f"output of {script}")
        try:
            yield port
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
    finally:
        await _stopped(process)


async def _started(
    python: Path, script: str, args: tuple[str, ...], variables: Mapping[str, str] | None, *, errors: int | None
) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return await asyncio.create_subprocess_exec(
        str(python),
        str(PEERS / script),
        *args,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        env={**inherited, "PYTHONUNBUFFERED": "1", **(variables or {})},
    )


async def _port(process: asyncio.subprocess.Process, script: str) -> int:
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode(errors="replace"):
        if line.startswith(READY):
            return int(line.removeprefix(READY))
    raise AssertionError(f"{script} ended before it was ready ({await process.wait()})")


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read what else it prints, or it would wait for us."""
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass


async def _stopped(process: asyncio.subprocess.Process) -> None:
    """End it, and wait until it has gone."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

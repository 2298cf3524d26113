"""A program that runs beside us: started, listened to line by line, and ended with us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from voicebackend.embedded.guardian import guardian

GRACE_S = 8.0
"""Seconds between SIGTERM and SIGKILL."""
TAIL_LINES = 20
"""Last lines kept, to report when the process dies."""
_MAX_LINE = 256 * 1024

OnLine = Callable[[str, str], None]
"""Takes the process's name and a line it wrote."""


class ManagedProcess:
    """One process in a session of its own; ``guardian`` ends it should we be killed.

    What it writes goes line by line to ``on_line``; with ``merged=False`` only its stdout does and its stderr is ours.
    Its stdin is a pipe that closes when we are gone.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
        merged: bool = True,
    ) -> None:
        self.name, self._command, self._env = name, list(command), env
        self._on_line, self._merged = on_line, merged
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """Its last lines."""

    def __repr__(self) -> str:
        return f"<ManagedProcess {self.name} [pid {self.pid}, returned {self.returncode}]>"

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs or before it starts, negative for a signal."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Start it.

        Raises:
            OSError: the program cannot be run.

        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=None if self._env is None else dict(self._env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if self._merged else None,
            start_new_session=True,
            limit=_MAX_LINE,
        )
        guardian().watch(self._process.pid)
        self._reading = asyncio.create_task(self._read(self._process), name=f"lines of {self.name}")

    async def wait(self) -> int:
        """Wait until it has ended and its last line is read; return its exit code."""
        if self._process is None or self._reading is None:
            return 0
        code = await self._process.wait()
        # A grandchild may hold the pipe open: do not wait for it.
        await asyncio.wait({self._reading}, timeout=1)
        return code

    async def stop(self, *, grace_s: float = GRACE_S) -> int:
        """End it, SIGTERM first, and return its exit code; nothing happens to one that has ended."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        code = await self.wait()
        guardian().release(process.pid)
        if self._reading and not self._reading.done():
            self._reading.cancel()
        if process.stdin:
            process.stdin.close()
        return code

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        while process.stdout:
            try:
                raw = await process.stdout.readline()
            except ValueError:  # longer than any line has a right to be: its rest is read as a line
                continue
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip()
            self.tail.append(line)
            if self._on_line:
                self._on_line(self.name, line)

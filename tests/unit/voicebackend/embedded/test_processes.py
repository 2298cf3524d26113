"""Processes beside us: their lines, their end."""

from __future__ import annotations

import asyncio
import signal
import sys

from voicebackend.embedded.processes import ManagedProcess


async def test_lines_arrive_with_the_name_of_who_wrote_them() -> None:
    """Both outputs are read line by line under the process's name; the last lines are kept."""
    lines: list[tuple[str, str]] = []
    script = "import sys; print('one', flush=True); print('two', file=sys.stderr)"
    process = ManagedProcess("talker", [sys.executable, "-c", script], on_line=lambda *line: lines.append(line))
    await process.start()
    assert await process.wait() == 0
    assert lines == [("talker", "one"), ("talker", "two")]
    assert list(process.tail) == ["one", "two"]
    await process.stop()


async def test_sigterm_ends_it_and_its_code_is_told() -> None:
    """Stopping sends SIGTERM; stopping again does nothing."""
    process = ManagedProcess("sleeper", ["sleep", "60"])
    await process.start()
    assert await process.stop() == -signal.SIGTERM
    assert await process.stop() == -signal.SIGTERM


async def test_a_deaf_process_is_killed_after_the_grace() -> None:
    """One that ignores SIGTERM is killed, its children included."""
    heard = asyncio.Event()
    script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"
    process = ManagedProcess("deaf", ["/bin/sh", "-c", script], on_line=lambda *_: heard.set())
    await process.start()
    await asyncio.wait_for(heard.wait(), 5)
    assert await process.stop(grace_s=0.2) == -signal.SIGKILL


async def test_a_line_without_end_does_not_stop_the_reading() -> None:
    """A line longer than the limit is cut, not fatal."""
    script = "print('x' * 600_000); print('after')"
    process = ManagedProcess("long", [sys.executable, "-c", script])
    await process.start()
    assert await process.wait() == 0
    assert process.tail[-1].endswith("after")
    await process.stop()


async def test_its_stdin_closes_when_stopped() -> None:
    """A process that waits for the end of its stdin is not held back by us."""
    process = ManagedProcess("reader", [sys.executable, "-c", "import sys; sys.stdin.read(); print('bye')"])
    await process.start()
    assert await process.stop() in {0, -signal.SIGTERM}

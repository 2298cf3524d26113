"""What a process started does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from voicebackend.embedded.guardian import end_groups

PARENT = """
import pathlib, subprocess, sys, tempfile
from voicebackend.embedded.guardian import guardian
child = subprocess.Popen(["/bin/sh", "-c", sys.argv[1]], start_new_session=True)
folder = tempfile.mkdtemp()
guardian().watch(child.pid)
guardian().keep_folder(folder)
print(child.pid, folder, flush=True)
sys.stdin.read()
if sys.argv[2] == "released":
    guardian().release(child.pid)
"""


def start_parent(child: str, mode: str = "") -> tuple[subprocess.Popen[str], int, Path]:
    """Start a process that starts a child under its guardian; return it, the child's pid and a folder of its."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, child, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, folder = parent.stdout.readline().split()
    return parent, int(pid), Path(folder)


def gone(pid: int) -> bool:
    """Tell whether the process has ended; one that nobody waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
@pytest.mark.parametrize("child", ["exec sleep 60", "sleep 60 & wait"])
def test_a_killed_parent_takes_its_children_along(child: str) -> None:
    """SIGKILL of the parent ends the child, its own children and the folder, though the parent could do nothing."""
    parent, pid, folder = start_parent(child)
    with parent:
        parent.send_signal(signal.SIGKILL)
    assert until(lambda: gone(pid), 5)
    assert until(lambda: not folder.exists(), 5)


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
def test_an_ordinary_exit_takes_them_along_too() -> None:
    """A parent that ends without stopping its child leaves nothing behind."""
    parent, pid, folder = start_parent("exec sleep 60")
    with parent:
        assert parent.stdin is not None
        parent.stdin.close()
        assert parent.wait(10) == 0
    assert gone(pid)
    assert not folder.exists()


def test_a_released_child_lives_on() -> None:
    """What was released is nobody's business any more: its number may belong to another by now."""
    parent, pid, _ = start_parent("exec sleep 60", "released")
    try:
        with parent:
            assert parent.stdin is not None
            parent.stdin.close()
            assert parent.wait(10) == 0
        assert not gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_deaf_group_is_killed_after_the_grace() -> None:
    """A child that ignores SIGTERM is killed."""
    script = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"
    child = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"deaf\n"
        end_groups([child.pid], grace_s=0.2)
        assert child.wait(5) == -signal.SIGKILL

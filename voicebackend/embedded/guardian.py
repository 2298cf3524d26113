"""Ends what a process started once that process is gone, even when it was killed.

The parent holds the write end of a pipe to one small program, this file, and names on it the process groups and
folders that shall not outlive it. The kernel closes the pipe whatever way the parent ends. Run by path, in isolated
mode, so that it imports nothing but the standard library and starts in a few milliseconds.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import lru_cache

GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL_S = 0.05


class Guardian:
    """The parent's end of the pipe."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", __file__]
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._watched: set[int] = set()
        atexit.register(self.close)

    def watch(self, pid: int) -> None:
        """End this process group, started with ``start_new_session``, when the parent is gone."""
        self._watched.add(pid)
        self._tell(f"+group {pid}")

    def release(self, pid: int) -> None:
        """Forget a group that has ended, before its number is given to another."""
        self._watched.discard(pid)
        self._tell(f"-group {pid}")

    def keep_folder(self, path: str) -> None:
        """Remove this folder when the parent is gone."""
        self._tell(f"+folder {path}")

    def release_folder(self, path: str) -> None:
        """Forget a folder."""
        self._tell(f"-folder {path}")

    def close(self) -> None:
        """Let the guardian end what is still registered, and wait for it."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        deadline = time.monotonic() + GRACE_S + 2
        while self._process.poll() is None and time.monotonic() < deadline:
            for pid in self._watched:  # an ended child stays in its group until its parent, us, takes note
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(_POLL_S / 5)

    def _tell(self, line: str) -> None:
        if self._process.stdin is None:  # it was opened as a pipe
            return
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()


def guardian() -> Guardian:
    """Return this process's guardian; a fork has its own."""
    return _guardian_of(os.getpid())


@lru_cache(maxsize=1)
def _guardian_of(pid: int) -> Guardian:
    del pid
    return Guardian()


def end_groups(groups: Iterable[int], *, grace_s: float = GRACE_S) -> None:
    """End process groups: SIGTERM, then SIGKILL for what is left after the grace."""
    left = [group for group in groups if _signal(group, signal.SIGTERM)]
    deadline = time.monotonic() + grace_s
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [group for group in left if _signal(group, 0)]
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Send a signal, 0 to ask only; return whether the group is there."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Remember what stands on stdin until it closes, then end it."""
    registered: dict[str, set[str]] = {"group": set(), "folder": set()}
    for line in sys.stdin:
        kind, _, value = line[1:].rstrip("\n").partition(" ")
        (registered[kind].add if line[0] == "+" else registered[kind].discard)(value)
    end_groups([int(group) for group in registered["group"]])
    for folder in registered["folder"]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

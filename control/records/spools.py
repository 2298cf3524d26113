"""Recordings under way, on this machine's disk: samples, and beside them what they are. A crash leaves them there.

Each process has a folder of its own, which it holds by a lock that goes with it: what others left shows by that.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from uuid import uuid4

from control.records.entry import Entry

_LOCK = "lock"


class Spools:
    """One process's folder under ``folder``."""

    def __init__(self, folder: Path) -> None:
        name = uuid4().hex
        hidden, self._folder, self._mine = folder / f".{name}", folder, folder / name
        hidden.mkdir(parents=True, mode=0o700)
        self._locks = {self._mine: _locked(hidden / _LOCK)}
        hidden.rename(self._mine)  # seen by others only once it is locked

    def path(self) -> Path:
        """Return where another recording may be written."""
        return self._mine / f"{uuid4().hex}.pcm"

    def orphans(self) -> list[Path]:
        """Return recordings of processes that are gone; from now on they are this one's."""
        found: list[Path] = []
        for home in self._folder.iterdir():
            if home in self._locks or home.name.startswith(".") or not home.is_dir():
                continue
            try:
                lock = _locked(home / _LOCK)
            except OSError:  # its process has just taken it away
                continue
            if lock is not None:
                self._locks[home] = lock
                found += sorted(home.glob("*.pcm"))
        return found

    def tidy(self) -> None:
        """Take away folders of others in which nothing is left."""
        for home in [home for home in self._locks if home != self._mine and not list(home.glob("*.pcm"))]:
            self._leave(home)

    def close(self) -> None:
        """Let go of the folders; those in which nothing is left go."""
        for home in list(self._locks):
            self._leave(home)

    def _leave(self, home: Path) -> None:
        lock = self._locks.pop(home)
        if not list(home.glob("*.pcm")):
            shutil.rmtree(home, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(path: Path) -> int | None:
    """Return the lock as a file descriptor, None if another process has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def begin(spool: Path, entry: Entry) -> None:
    """Make room for a recording, and say beside it what it is; where that is not possible, nothing is left of it."""
    try:
        spool.with_suffix(".json").write_text(json.dumps({"id": entry.id, **entry.to_fields()}), encoding="utf-8")
        spool.touch(mode=0o600)
    except OSError:
        forget(spool)
        raise


def append(spool: Path, data: bytes, at: int) -> None:
    """Write behind the first ``at`` bytes; what a write that failed had left there is overwritten."""
    with spool.open("r+b") as file:
        file.seek(at)
        file.truncate()
        file.write(data)


def entry_beside(spool: Path) -> Entry:
    """Return what a recording is; raises ValueError or KeyError if that was not written whole."""
    said = json.loads(spool.with_suffix(".json").read_text(encoding="utf-8"))
    return Entry.from_fields(said.pop("id"), {name.encode(): value.encode() for name, value in said.items()})


def forget(spool: Path) -> None:
    """Delete a recording from disk."""
    spool.unlink(missing_ok=True)
    spool.with_suffix(".json").unlink(missing_ok=True)

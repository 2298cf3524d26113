"""The switchboard that holds now: read again when its files change, without a call noticing.

Each control process watches its own files, every two seconds and on SIGHUP: they lie on its disk, where no task on
another machine could see them. What a call began with it keeps, for a switchboard is never changed, only replaced.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from control.telephony.settings import TelephonySettings
from control.telephony.sip.settings import SipSettings
from control.telephony.switchboard import SipExchange, Switchboard
from voicebackend.errors import InvalidConfig
from voicebackend.telemetry import tables_loaded

logger = logging.getLogger(__name__)

LOOK_S = 2.0
"""Seconds between two looks at the files."""
SOCKETS = "sip: this section changed; trunks and routes are in use, restart control for the rest"
Stamp = tuple[tuple[str, int, int, int], ...]


class LiveSwitchboard:
    """Holds the switchboard of ``path``, and reads it again."""

    def __init__(self, path: Path, public_url: str) -> None:
        self._path, self._public_url = path, public_url
        self._files: tuple[Path, ...] = (path,)
        self._seen: Stamp = ()
        self._wake = asyncio.Event()
        self._current: Switchboard | None = None
        self._followers: list[Callable[[Switchboard], None]] = []
        self.problem = ""
        """Why the files as they are now are not in use; empty if they are."""

    def __repr__(self) -> str:
        return f"<LiveSwitchboard {self.current.routes.version}{' [file is bad]' if self.problem else ''}>"

    @property
    def current(self) -> Switchboard:
        """The switchboard that holds now; it is never changed."""
        assert self._current is not None, "open() comes first"  # noqa: S101 - an error of ours
        return self._current

    async def open(self) -> None:
        """Read the files; raises InvalidConfig if they are wrong: at the start there is nothing to go on with."""
        self._current = await asyncio.to_thread(self._read)

    @contextmanager
    def followed(self, follower: Callable[[Switchboard], None]) -> Iterator[None]:
        """Have this called with every switchboard that takes the place of another, while the context is open."""
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)

    async def watch(self) -> None:
        """Follow the files until cancelled."""
        loop, hears = asyncio.get_running_loop(), not sys.stdin.isatty()  # a terminal that closes ends the process
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: the files tell too
            if hears:
                loop.add_signal_handler(signal.SIGHUP, self._wake.set)
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                asked = self._wake.is_set()
                self._wake.clear()
                await self.look(asked=asked)
        finally:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                if hears:
                    loop.remove_signal_handler(signal.SIGHUP)

    async def look(self, *, asked: bool = False) -> None:
        """Read the files if they changed, or if asked to; bad ones change nothing, and are told of once."""
        if not asked and await asyncio.to_thread(_stamp, self._files) == self._seen:
            return
        before = self.current
        try:
            found = await asyncio.to_thread(self._read)
        except InvalidConfig as error:
            self.problem = error.message
            tables_loaded.add(1, {"good": False})
            extra = {"field": str(error.details.get("field", "")), "version": before.routes.version}
            logger.error("changed telephony file is bad: the old one holds", extra=extra)  # noqa: TRY400 - ours
            return
        self.problem = "" if _opens(found) == _opens(before) else SOCKETS
        self._current = replace(found, sip=_in_use(before.sip, found.sip))
        if self.problem:
            logger.error("section sip is read at the start only", extra={"version": found.routes.version})
        for follower in self._followers:
            follower(self._current)
        tables_loaded.add(1, {"good": True})
        logger.info("telephony file read", extra={"version": found.routes.version, "before": before.routes.version})

    def _read(self) -> Switchboard:
        """Read them; what is written while that goes on is seen at the next look."""
        self._seen = _stamp(self._files)
        with _uncollected():
            routes = TelephonySettings.from_file(self._path).routes
            self._files = (self._path, routes) if isinstance(routes, Path) else (self._path,)
            self._seen = _stamp(self._files)
            return Switchboard.of(self._path, self._public_url)


def _opens(board: Switchboard) -> SipSettings | None:
    """Return what sockets were opened by, and calls by SIP are held by."""
    return None if board.sip is None else board.sip.settings


def _in_use(before: SipExchange | None, found: SipExchange | None) -> SipExchange | None:
    """Return who may call by SIP now, at the sockets that are open."""
    if before is None:
        return None
    return SipExchange(before.settings, found.access if found is not None else {})


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking through a table of a million objects, now and later: calls would wait."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _stamp(files: Iterable[Path]) -> Stamp:
    """Return what changes when one of the files does."""
    return tuple(_one(file) for file in files)


def _one(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino

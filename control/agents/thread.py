"""A daemon thread for one agent that is a plain function: it may block or hang without blocking anyone else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from control.agents.hung_threads import HungThreads, hung_threads

AHEAD = 64
"""Pieces that a generator may be ahead of who takes them."""


def is_plain_iterable(reply: Any) -> bool:
    """Tell whether a reply is to be iterated in a thread: a generator, a list, a stream of a synchronous client."""
    return isinstance(reply, Iterable) and not isinstance(reply, str | bytes | Mapping)


class _End:
    """The thread has finished."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class AgentThread:
    """Calls a function and, if that returns something to iterate, iterates it, in one thread."""

    def __init__(self, function: Callable[[], Any], *, hung: HungThreads = hung_threads) -> None:
        self._function, self._hung = function, hung
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="agent", daemon=True)
        self.reply: Any = None
        """What the function returned, if that was nothing to iterate; known after ``pieces``."""

    async def pieces(self) -> AsyncGenerator[Any, None]:
        """Start the thread and yield what it iterates; raises what it raises.

        Closing this iterator closes the function's own in its thread, so that its ``finally`` blocks run.
        """
        self._thread.start()
        ended = False
        try:
            while True:
                piece = await self._arrived.get()
                if isinstance(piece, _End):
                    ended = True
                    if piece.error is not None:
                        raise piece.error
                    return
                self._room.release()
                yield piece
        finally:
            if not ended:
                self._stopped.set()
                self._room.release()
                self._hung.abandon(self._thread)

    def _run(self) -> None:
        try:
            reply = self._function()
            if is_plain_iterable(reply):
                self._iterate(reply)
            else:
                self.reply = reply
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends in the turn that waits for it
            self._put(_End(error))
        else:
            self._put(_End())

    def _iterate(self, reply: Iterable[Any]) -> None:
        iterator = iter(reply)
        try:
            for piece in iterator:
                self._room.acquire()
                if self._stopped.is_set():
                    return
                self._put(piece)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _put(self, piece: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, piece)

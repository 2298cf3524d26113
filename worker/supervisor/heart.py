"""A child's end: a pulse every second from its event loop, and notice of a supervisor that is gone."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from voicebackend.errors import InvalidConfig, ProviderNotFound
from worker.load import rss_mb
from worker.supervisor.pulse import PULSE_S, Phase, Pulse

logger = logging.getLogger(__name__)


class Heart:
    """Beats while its context is entered. A supervisor that is gone asks for what SIGTERM asks for."""

    def __init__(self, fd: int) -> None:
        self._sessions: Callable[[], int] | None = None
        self._relieved: Callable[[], bool] = bool
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._socket.set_inheritable(False)
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        asyncio.get_running_loop().add_reader(self._socket, self._hear)
        self._beating = asyncio.create_task(self._beat(), name="heart")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        faulthandler.unregister(signal.SIGUSR1)

    def is_ready(self, sessions: Callable[[], int], relieved: Callable[[], bool] = bool) -> None:
        """Say that lanes are held; from now on, how many sessions were run since the start, and if it shall end."""
        self._sessions, self._relieved = sessions, relieved
        self._say(self._pulse())

    @contextmanager
    def tells_hopeless(self) -> Iterator[None]:
        """Say so when a configuration is refused that will be refused again, however often it is tried."""
        try:
            yield
        except (InvalidConfig, ProviderNotFound):
            if self._sessions is None:
                self._say(Pulse(phase=Phase.HOPELESS))
            raise

    def _pulse(self) -> Pulse:
        if self._sessions is None:
            return Pulse(phase=Phase.LOADING)
        return Pulse(phase=Phase.READY, sessions=self._sessions(), rss_mb=rss_mb(), relieved=self._relieved())

    def _say(self, pulse: Pulse) -> None:
        """Send a pulse; what a stopped supervisor does not read is dropped."""
        with suppress(OSError):
            self._socket.send(pulse.encode())

    async def _beat(self) -> None:
        while True:
            self._say(self._pulse())
            await asyncio.sleep(PULSE_S)

    def _hear(self) -> None:
        """Notice the end of the socket; the supervisor never writes to it."""
        try:
            gone = not self._socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            asyncio.get_running_loop().remove_reader(self._socket)
            logger.error("supervisor is gone: handing over and ending")
            os.kill(os.getpid(), signal.SIGTERM)

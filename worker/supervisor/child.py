"""One worker process as its supervisor sees it: started, listened to, and put to an end when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence

from worker.supervisor.pulse import Phase, Pulse
from worker.supervisor.states import Action, Event, State, advance, deadline

logger = logging.getLogger(__name__)

LOOK_S = 0.25
"""Seconds between looks at whether a child is overdue."""
LAST_WORDS_S = 0.1
"""Seconds in which the last pulse of a process that has ended is read."""
STALL_S = 1.0
"""Seconds by which a look is late when the supervisor itself was stopped: its children are given that time again."""
_SIGNALS = {Action.DRAIN: signal.SIGTERM, Action.DUMP: signal.SIGUSR1, Action.KILL: signal.SIGKILL}


class Child:
    """One process. ``live`` runs it to its end; what is asked of it before it has a process is done once it has."""

    def __init__(
        self, worker: str, command: Sequence[str], free: Callable[[str], Awaitable[None]], *, drain_s: float
    ) -> None:
        self.worker, self._command, self._free, self._drain_s = worker, list(command), free, drain_s
        self.state = State.STARTING
        self.ready, self.ended = asyncio.Event(), asyncio.Event()
        self.hopeless = False
        """It said that it cannot start with this configuration."""
        self.pulse: Pulse | None = None
        """Its last."""
        self.at_ready: Pulse | None = None
        """Its first once it held lanes."""
        self.began = self._entered = self._heard = asyncio.get_running_loop().time()
        self._process: asyncio.subprocess.Process | None = None

    def __repr__(self) -> str:
        return f"<Child {self.worker} [pid {self.pid}, {self.state}]>"

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        return self._process.pid if self._process else None

    @property
    def lived_s(self) -> float:
        """Seconds since it was begun."""
        return asyncio.get_running_loop().time() - self.began

    def drain(self) -> None:
        """Have it hand its sessions over and end; it is killed if that takes too long."""
        self._apply(Event.DRAIN)

    def kill(self) -> None:
        """End it at once; its leases are given free when it is gone."""
        self._signal(Action.KILL)

    async def live(self) -> None:
        """Run the process to its end, then give its lanes free."""
        try:
            await self._run()
        except OSError as error:
            told = {"worker": self.worker, "error": type(error).__name__}
            logger.error("worker process cannot be run", extra=told)  # noqa: TRY400 - of processes or files, not of code
            self.kill()
        finally:
            try:
                if self._apply(Event.EXIT) is Action.FREE:
                    await self._free(self.worker)
            finally:
                self.ended.set()

    async def _run(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [*self._command, "--supervised", str(theirs.fileno()), "--id", self.worker]
            self._process = await asyncio.create_subprocess_exec(*command, pass_fds=[theirs.fileno()])
            theirs.close()
            logger.info("worker process started", extra={"worker": self.worker, "pid": self.pid})
            if self.state is State.DRAINING:
                self._signal(Action.DRAIN)
            reader, writer = await asyncio.open_connection(sock=ours)
            listening = asyncio.create_task(self._listen(reader), name=f"pulses of {self.worker}")
            try:
                code = await self._watch(self._process)
                await asyncio.wait({listening}, timeout=LAST_WORDS_S)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                writer.close()
        level = logging.INFO if code == 0 or self.state is State.DRAINING else logging.ERROR
        logger.log(level, "worker process ended", extra={"worker": self.worker, "pid": self.pid, "code": code})

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        """Wait for its end and return its exit code, negative for a signal; bring it about where it is overdue."""
        exiting = asyncio.create_task(process.wait(), name=f"end of {self.worker}")
        loop = asyncio.get_running_loop()
        try:
            while True:
                slept = loop.time()
                if (await asyncio.wait({exiting}, timeout=LOOK_S))[0]:
                    return exiting.result()
                self._look(loop.time(), overslept_s=loop.time() - slept - LOOK_S)
        finally:
            exiting.cancel()

    def _look(self, now: float, *, overslept_s: float) -> None:
        if overslept_s > STALL_S:
            self._entered, self._heard = self._entered + overslept_s, self._heard + overslept_s
        if now >= deadline(self.state, entered=self._entered, heard=self._heard, drain_s=self._drain_s):
            self._apply(Event.OVERDUE)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            try:
                pulse = Pulse.decode(line)
            except ValueError:
                logger.warning("not a pulse", extra={"worker": self.worker})
                continue
            self._heard, self.pulse = asyncio.get_running_loop().time(), pulse
            self.hopeless |= pulse.phase is Phase.HOPELESS
            if pulse.phase is Phase.READY and self.at_ready is None:
                self.at_ready = pulse
                self.ready.set()
            self._apply(Event.READY if pulse.phase is Phase.READY else Event.LOADING)

    def _apply(self, event: Event) -> Action:
        before = self.state
        self.state, action = advance(before, event)
        if event is Event.OVERDUE or self.state is not before:
            self._entered = asyncio.get_running_loop().time()
        if action is Action.DUMP:
            logger.error("worker process is stuck", extra={"worker": self.worker, "pid": self.pid, "state": before})
        self._signal(action)
        return action

    def _signal(self, action: Action) -> None:
        if action in _SIGNALS and self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(_SIGNALS[action])

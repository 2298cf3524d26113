"""Messages between processes and the Redis servers: late, lost, out of order; and processes that stand still."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

from timeline import Timeline

TIMEOUT_MS = 500.0
"""After which a call that got no answer fails, as on the hot path of the product."""


class Server(Protocol):
    """A Redis server that may be down; ``incarnation`` counts its restarts."""

    up: bool
    incarnation: int


class Process:
    """Something that runs, may stand still (SIGSTOP) and may die; its clock runs at its own rate."""

    def __init__(self, timeline: Timeline, *, rate: float = 1.0, offset_ms: float = 0.0) -> None:
        self.timeline, self.rate, self.offset_ms = timeline, rate, offset_ms
        self.dead = self.stopped = False
        self.connected: dict[int, int] = {}
        """By server, the incarnation of it that this process is connected to."""
        self._waiting: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    @property
    def local_ms(self) -> float:
        """Return its monotonic clock."""
        return self.timeline.now * self.rate + self.offset_ms

    @property
    def local_s(self) -> float:
        """Return the same in seconds, as the product counts."""
        return (self.timeline.now * self.rate + self.offset_ms) / 1000

    def after(self, delay_ms: float, event: Callable[..., None], *args: Any) -> None:
        """Plan something by its own clock."""
        self.timeline.after(delay_ms / self.rate, self.do, event, *args)

    def do(self, event: Callable[..., None], *args: Any) -> None:
        """Do something now, when it runs again, or never."""
        if self.dead:
            return
        if self.stopped:
            self._waiting.append((event, args))
        else:
            event(*args)

    def stop(self) -> None:
        """Stand still, as after SIGSTOP."""
        self.stopped = True

    def go_on(self) -> None:
        """Run again: everything that came meanwhile happens at once."""
        self.stopped = False
        waiting, self._waiting = self._waiting, []
        for event, args in waiting:
            self.do(event, *args)

    def die(self) -> None:
        """Never do anything again."""
        self.dead = True


class Network:
    """Carries messages, each with its own delay; may lose them."""

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self._timeline, self._random = timeline, rng.random
        self.loss = 0.0
        """Part of messages that never arrive."""
        self.delay_ms = 2.0
        """Longest usual delay of a message; one in fifty takes up to ten times as long."""

    def delay(self) -> float:
        """Return one message's delay in milliseconds."""
        chance = self._random()
        return self.delay_ms * (chance if chance < 0.98 else 10 * self._random())

    def ask(
        self,
        caller: Process,
        server: Server,
        call: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[], None],
    ) -> None:
        """Call a server: ``done`` with its answer, or ``failed``. What failed may have happened all the same."""
        if self._random() < self.loss:
            caller.after(TIMEOUT_MS, failed)
            return
        self._timeline.after(self.delay(), self._arrive, caller, server, call, done, failed)

    def _arrive(
        self,
        caller: Process,
        server: Server,
        call: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[], None],
    ) -> None:
        connected = caller.connected.setdefault(id(server), server.incarnation)
        if not server.up or connected != server.incarnation:
            del caller.connected[id(server)]
            self._timeline.after(self.delay(), caller.do, failed)
            return
        answer = call()
        if self._random() < self.loss:
            caller.after(TIMEOUT_MS, failed)
        else:
            self._timeline.after(self.delay(), caller.do, done, answer)

    def send(self, event: Callable[..., None], *args: Any) -> None:
        """Send a message that nobody answers."""
        if self._random() >= self.loss:
            self._timeline.after(self.delay(), event, *args)

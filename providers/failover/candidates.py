"""The engines of one role that may serve a call, in order of preference, and which of them to try now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from voicebackend.breaker import Breaker
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, VoiceBackendError
from voicebackend.interfaces import Engine

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

MAX_FAILURES = 2
"""Broken connections in a row after which an engine is left alone: the first may be a network's trouble."""
COOL_DOWN_S = 10.0
"""Seconds for which it is."""
OPEN_S = 1.5
"""Seconds that a stream has to open where another engine could serve; a lone one has what its own settings say."""


class Candidates(Generic[E]):
    """Shared by all sessions of a process, so that each learns from the trouble of the others."""

    def __init__(self, engines: Sequence[E]) -> None:
        """``engines`` in order of preference, at least one."""
        self._engines = tuple(engines)
        self._breakers = tuple(Breaker(max_failures=MAX_FAILURES, cool_down_s=COOL_DOWN_S) for _ in engines)

    def __repr__(self) -> str:
        states = ", ".join(
            f"{one.name} {breaker.state}" for one, breaker in zip(self._engines, self._breakers, strict=True)
        )
        return f"<Candidates [{states}]>"

    def __len__(self) -> int:
        return len(self._engines)

    def __getitem__(self, at: int) -> E:
        return self._engines[at]

    @property
    def alone(self) -> bool:
        """Whether there is no other to go to."""
        return len(self._engines) == 1

    def order(self) -> list[int]:
        """Return which to try, in this order: those in trouble last."""
        now = _now()
        well = [at for at, breaker in enumerate(self._breakers) if breaker.admits(now)]
        return [*well, *(at for at in range(len(self)) if at not in well)]

    @property
    def first(self) -> E:
        """The one that is tried first now."""
        return self._engines[self.order()[0]]

    def hopeless(self, error: VoiceBackendError) -> bool:
        """Tell whether nobody is left who could do better: a lone engine is reached again, but not if it refuses."""
        return self.alone and not isinstance(error, ConnectionFailed | ConnectionTimeout)

    def failed(self, at: int, error: VoiceBackendError, *, again: bool = True) -> None:
        """Note that one failed: a broken connection may be made ``again`` at once, anything else says to wait."""
        if again and isinstance(error, ConnectionFailed):
            self._breakers[at].failed(_now())
        else:
            self._breakers[at].trip(_now())

    def succeeded(self, at: int) -> None:
        """Note that one did what it is for."""
        self._breakers[at].succeeded()

    async def opened(
        self, role: str, open_one: Callable[[int], Awaitable[T]], *, among: Sequence[int] | None = None
    ) -> tuple[int, T]:
        """Return what the first of them opens that can, and which that is; ``among`` says which to try, if not all.

        Raises:
            VoiceBackendError: none can; the last one's error.

        """
        failure: VoiceBackendError = ConnectionFailed(role)
        for at in self.order() if among is None else among:
            try:
                return at, await within(open_one(at), None if self.alone else OPEN_S, role)
            except VoiceBackendError as error:
                self.failed(at, error)
                failure = error
        raise failure


async def within(work: Awaitable[T], seconds: float | None, op: str) -> T:
    """Return what comes of it; raises ConnectionTimeout if that takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise ConnectionTimeout(op, "nothing came in time") from None


def _now() -> float:
    return asyncio.get_running_loop().time()

"""Many sessions' windows through one model call: what is asked for in the same moment is answered together.

A window alone costs about twice what it costs among eight, because the model's weights are read once for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Inputs (n, samples) and states (2, n, width) to outputs (n, 1) and the states that follow."""

MAX_BATCH = 16
"""Windows in one call: about 1 ms, which is as long as others may be kept waiting."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One window that waits."""

    samples: Floats
    state: Floats
    """(2, 1, width)"""
    answer: asyncio.Future[tuple[float, Floats]]


class Batch:
    """Collects windows until the event loop has done what it has to do now, then runs them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: list[Asked] = []

    def ask(self, samples: Floats, state: Floats) -> asyncio.Future[tuple[float, Floats]]:
        """Return the future of a window's output and the state after it; its exception is what the model raised."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer_all)
        self._waiting.append(Asked(samples, state, answer))
        return answer

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MAX_BATCH):
            self._answer(waiting[start : start + MAX_BATCH])

    def _answer(self, asked: Sequence[Asked]) -> None:
        try:
            outputs, states = self._run(
                np.stack([one.samples for one in asked]), np.concatenate([one.state for one in asked], axis=1)
            )
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            for one in asked:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        for at, one in enumerate(asked):
            if not one.answer.done():
                one.answer.set_result((float(outputs[at, 0]), states[:, at : at + 1]))

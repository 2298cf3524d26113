"""What a framework's script needs: turns from a file, a clock that is as fast as the machine, decisions to a file.

Runs in the framework's own environment: nothing of this project is imported, but the clock is, by its path.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

RATE = 16_000
FRAME_S = 0.02
FRAME_BYTES = round(RATE * FRAME_S) * 2
STT_S = 0.1
"""From a framework's own end of speech to the final transcript, as for every system here."""

Push = Callable[[bytes], Awaitable[None]]
Listen = Callable[[str, Callable[[], None]], Awaitable[tuple[Push, Callable[[], Awaitable[None]]]]]
"""Opens a session that transcribes to a text and calls back at each end of turn; returns its ear and its end."""

_CLOCK = Path(__file__).parents[3] / "voicebackend" / "virtual_time.py"
_EPOCH = 1_700_000_000.0


def virtual_time() -> Any:
    """Let ``time`` follow the running loop; call it before the framework is imported."""
    spec = importlib.util.spec_from_file_location("virtual_time", _CLOCK)
    if spec is None or spec.loader is None:
        raise ImportError(_CLOCK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loops: list[Any] = []

    class Loop(module.VirtualTimeLoop):
        def __init__(self) -> None:
            super().__init__()
            loops.append(self)

        async def shutdown_default_executor(self, *_: Any) -> None:
            """Let the threads go: waiting for them would be waiting for real time."""
            if self._default_executor is not None:
                self._default_executor.shutdown(wait=False)

    def now() -> float:
        return _EPOCH + (loops[-1].time() if loops else 0.0)

    time.time = time.monotonic = time.perf_counter = now
    time.time_ns = time.monotonic_ns = time.perf_counter_ns = lambda: round(now() * 1e9)
    return Loop


def main(loop: Any, listen: Listen) -> None:
    """Run ``script.py TURNS.json DECISIONS.json``: every turn in a session of its own."""
    turns = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = {}
    for turn in turns:
        with asyncio.Runner(loop_factory=loop) as runner:
            found[turn["id"]] = runner.run(_heard(listen, turn["text"], Path(turn["pcm"]).read_bytes()))
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


async def _heard(listen: Listen, text: str, pcm: bytes) -> list[float]:
    """Return when turns were over, in seconds of the audio."""
    clock = asyncio.get_running_loop().time
    decided: list[float] = []
    began = 0.0
    push, close = await listen(text, lambda: decided.append(clock() - began))
    began = clock()
    for index, start in enumerate(range(0, len(pcm), FRAME_BYTES), start=1):
        await asyncio.sleep(began + index * FRAME_S - clock())
        await push(pcm[start : start + FRAME_BYTES])
    await close()
    return decided

"""Load: many sessions, some of them at once, and how long each took to answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from voicebackend.audio import FRAME_MS, PIPELINE_RATE, AudioFormat
from voicebackend.errors import OperationTimeout
from voicebackend.session import SessionConfig
from voicebackend.testing.percentiles import percentile
from voicebackend.testing.plot import latency_plot
from voicebackend.tracing import error_code

ANSWER_S = 10.0
"""Seconds that an answer may take."""


class LoadSession(Protocol):
    """What the load test does with a session."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def stop(self) -> None:
        """End."""
        ...

    async def process_audio(self, pcm: bytes) -> None:
        """Take caller audio."""
        ...

    def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield agent audio."""
        ...


class LoadBackend(Protocol):
    """What the load test does with a backend: a VoiceBackend, or the mock."""

    async def create_session(self, config: SessionConfig) -> Any:
        """Return a new session."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What the load was answered with."""

    sessions: int
    """Sessions that were asked for."""
    succeeded: int
    """Sessions in which the agent was heard."""
    p50: float
    """Seconds from the first audio sent to the first agent audio, for half of the sessions at most."""
    p95: float
    p99: float
    errors: Mapping[str, int] = field(default_factory=dict)
    """Failed sessions by error code."""
    seconds: float = 0.0
    """How long all of it took."""
    latencies: tuple[float, ...] = ()
    """Seconds of each session that succeeded, shortest first."""

    def plot(self) -> str:
        """Return a histogram of the latencies as SVG."""
        failed = f", {sum(self.errors.values())} failed" if self.errors else ""
        title = f"{self.succeeded} of {self.sessions} sessions answered{failed}"
        return latency_plot(self.latencies, {"p50": self.p50, "p95": self.p95, "p99": self.p99}, title)

    def save_plot(self, path: str | Path) -> None:
        """Write the histogram into a file; raises OSError."""
        Path(path).write_text(self.plot(), encoding="utf-8")


async def run_load_test(
    backend: LoadBackend,
    sessions: int,
    concurrency: int,
    duration: float,
    *,
    config: SessionConfig | None = None,
) -> LoadReport:
    """Open sessions, ``concurrency`` at once; each speaks for ``duration`` seconds, in real time, and is ended.

    ``config`` is the sessions'; by default their agent answers with what it heard.
    """
    wanted = config or SessionConfig(
        user_id="load", transport="websocket", agent_callback=lambda said: f"Heard: {said}"
    )
    started, room = time.monotonic(), asyncio.Semaphore(concurrency)
    errors, latencies = Counter[str](), list[float]()

    async def one() -> None:
        async with room:
            try:
                latencies.append(await _converse(await backend.create_session(wanted), duration))
            except Exception as error:  # noqa: BLE001 - counted, whatever it is
                errors[error_code(error)] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(one(), name=f"load {number}")
    return LoadReport(
        sessions=sessions,
        succeeded=len(latencies),
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        errors=dict(errors),
        seconds=time.monotonic() - started,
        latencies=tuple(sorted(latencies)),
    )


async def _converse(session: LoadSession, duration: float) -> float:
    """Speak and listen at once; return the seconds until the agent was heard."""
    await session.start()
    try:
        speaking = asyncio.create_task(_speak(session, duration), name="load speaks")
        try:
            started = time.monotonic()
            async with asyncio.timeout(ANSWER_S + duration):
                async for _ in session.agent_audio():
                    break
            latency = time.monotonic() - started
            await speaking
            return latency
        except TimeoutError as error:
            raise OperationTimeout("load", "the agent was not heard") from error
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    finally:
        await session.stop()


async def _speak(session: LoadSession, duration: float) -> None:
    """Send a hum, frame by frame in real time."""
    frame = bytes([0, 16]) * (AudioFormat(sample_rate=PIPELINE_RATE).frame_bytes // 2)
    started = time.monotonic()
    for count in range(max(1, round(duration * 1000 / FRAME_MS))):
        await asyncio.sleep(started + count * FRAME_MS / 1000 - time.monotonic())
        await session.process_audio(frame)

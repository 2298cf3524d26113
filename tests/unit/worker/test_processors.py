"""The user's audio processors: in their order, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from worker.processors import MAX_FAILURES, Processors


@dataclass
class Processor:
    """A processor that does what it is told."""

    name: str
    order: int
    act: Callable[[bytes], Any]
    calls: list[Mapping[str, Any]] = field(default_factory=list)

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Do it."""
        self.calls.append(metadata)
        found = self.act(audio)
        return await found if isinstance(found, Awaitable) else found  # type: ignore[no-any-return]


def fails(audio: bytes) -> bytes:
    """Raise."""
    raise ValueError


class PlainProcessor(Processor):
    """One whose method is no coroutine function."""

    def process(self, audio: bytes, metadata: Mapping[str, Any]) -> Any:  # type: ignore[override]  # on purpose
        """Do it at once."""
        return self.act(audio)


async def run(*processors: Processor, times: int = 1) -> bytes:
    """Send two samples through."""
    chain, out = Processors(processors, "s"), b""
    for _ in range(times):
        out = await chain.process(b"\x01\x02\x03\x04", direction="in", sample_rate=16_000)
    return out


async def test_lower_order_runs_earlier() -> None:
    """However they were listed."""
    later, earlier = Processor("b", 2, lambda pcm: pcm + b"bb"), Processor("a", 1, lambda pcm: pcm + b"aa")
    assert await run(later, earlier) == b"\x01\x02\x03\x04aabb"
    assert later.calls == [{"direction": "in", "sample_rate": 16_000, "session_id": "s"}]


@pytest.mark.parametrize(
    "act",
    [fails, lambda pcm: None, lambda pcm: "text", lambda pcm: pcm[:3], lambda pcm: asyncio.sleep(60)],
    ids=["raises", "None", "text", "half a sample", "hangs"],
)
async def test_a_processor_that_fails_is_passed_by(act: Callable[[bytes], Any]) -> None:
    """The audio goes on as it was, through the others too."""
    assert await run(Processor("bad", 1, act), Processor("good", 2, lambda pcm: pcm + b"ok")) == b"\x01\x02\x03\x04ok"


async def test_a_plain_method_may_process_too_and_is_passed_by_when_it_raises() -> None:
    """Nothing need be awaited."""
    good, bad = PlainProcessor("good", 1, lambda pcm: pcm + b"ok"), PlainProcessor("bad", 2, fails)
    assert await run(good, bad) == b"\x01\x02\x03\x04ok"


async def test_a_processor_that_keeps_failing_is_left_out() -> None:
    """After three failures in a row it is not asked again."""
    bad = Processor("bad", 1, fails)
    await run(bad, times=10)
    assert len(bad.calls) == MAX_FAILURES


async def test_a_success_forgives() -> None:
    """Failures count in a row only."""
    outcomes = [True, True, False] * 3

    def sometimes(pcm: bytes) -> bytes:
        if outcomes.pop(0):
            raise ValueError
        return pcm

    moody = Processor("moody", 1, sometimes)
    await run(moody, times=9)
    assert len(moody.calls) == 9

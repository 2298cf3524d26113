"""The user's audio processors, in their order. One that fails is passed by; one that keeps failing rests a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.breaker import Breaker
from voicebackend.hooks import AudioProcessor, HookFailed, Stage, ask, stages_of
from voicebackend.telemetry import processors_passed_by
from worker.budget import SHARE, Budget

logger = logging.getLogger(__name__)

TIMEOUT_S = 0.2
"""Seconds that a processor has for a short piece of audio; for a long one ``SHARE`` of its duration."""
MAX_FAILURES = 3
"""Failures in a row after which a processor rests."""
COOL_DOWN_S = 10.0
"""Seconds that it rests; then one piece of audio decides whether it is back."""
MAX_GROWTH_S = 1.0
"""Seconds by which a processor's answer may be longer than what it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A processor and how it has done in this session, at all its stages together."""

    processor: AudioProcessor
    stages: frozenset[Stage]
    breaker: Breaker = field(default_factory=lambda: Breaker(max_failures=MAX_FAILURES, cool_down_s=COOL_DOWN_S))
    budget: Budget = field(default_factory=Budget)


class Processors:
    """One session's chain.

    Raises:
        InvalidConfig: a processor names a stage that does not exist.

    """

    def __init__(self, processors: Iterable[AudioProcessor], session: str) -> None:
        members = [_Member(processor=processor, stages=stages_of(processor)) for processor in processors]
        members.sort(key=lambda member: member.processor.order)
        self._chains = {stage: [member for member in members if stage in member.stages] for stage in Stage}
        self._any = any(self._chains.values())
        self._session = session

    def __bool__(self) -> bool:
        return self._any

    async def process(
        self, pcm: bytes, *, sample_rate: int, stage: Stage | None = None, direction: str = "in"
    ) -> bytes:
        """Return the audio after every processor of this stage; ``direction`` counts where no stage is given."""
        at = stage or (Stage.PRE_STT if direction == "in" else Stage.POST_TTS)
        chain = self._chains[at]
        if chain:
            metadata = {"stage": str(at), "direction": at.direction, "sample_rate": sample_rate}
            metadata["session_id"] = self._session
            for member in chain:
                pcm = await self._one(member, pcm, metadata)
        return pcm

    async def _one(self, member: _Member, pcm: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Return what the processor made of the audio, or the audio itself."""
        clock = asyncio.get_running_loop().time
        started = clock()
        if not pcm or not member.breaker.admits(started):
            return pcm
        bytes_per_s = metadata["sample_rate"] * SAMPLE_BYTES
        audio_s = len(pcm) / bytes_per_s
        try:
            answer = await _answer(member.processor, pcm, metadata, max(TIMEOUT_S, SHARE * audio_s))
            if len(answer) % SAMPLE_BYTES or len(answer) > len(pcm) + MAX_GROWTH_S * bytes_per_s:
                raise HookFailed(member.processor.name)
        except HookFailed:
            self._rest(member, "failed", opened=member.breaker.failed(clock()))
            return pcm
        if member.budget.spend(clock() - started, audio_s=audio_s):
            self._rest(member, "overrun", opened=member.breaker.trip(clock()))
        else:
            member.breaker.succeeded()
        return answer

    def _rest(self, member: _Member, why: str, *, opened: bool) -> None:
        """Tell that a processor failed or overran, and whether it rests now."""
        name = member.processor.name
        processors_passed_by.add(1, {"processor": name, "why": why})
        if opened:
            told = {"hook": f"processor {name}", "session_id": self._session, "why": why, "seconds": COOL_DOWN_S}
            logger.error("processor rests", extra=told)


async def _answer(processor: AudioProcessor, pcm: bytes, metadata: Mapping[str, Any], timeout_s: float) -> bytes:
    hook = f"processor {processor.name}"
    return await ask(lambda: processor.process(pcm, metadata), hook=hook, expected=bytes, timeout_s=timeout_s)

"""The user's audio processors, in their order. One that fails is passed by; one that keeps failing is left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.hooks import AudioProcessor, HookFailed, ask

logger = logging.getLogger(__name__)

TIMEOUT_S = 0.2
"""Seconds that a processor has for one piece of audio."""
MAX_FAILURES = 3
"""Failures in a row after which a processor is left out of this session."""


class Processors:
    """One session's chain."""

    def __init__(self, processors: Iterable[AudioProcessor], session: str) -> None:
        self._chain: Sequence[AudioProcessor] = sorted(processors, key=lambda processor: processor.order)
        self._session = session
        self._failures: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._chain)

    async def process(self, pcm: bytes, *, direction: str, sample_rate: int) -> bytes:
        """Return the audio after every processor."""
        metadata = {"direction": direction, "sample_rate": sample_rate, "session_id": self._session}
        for index, processor in enumerate(self._chain):
            if self._failures.get(index, 0) < MAX_FAILURES:
                pcm = await self._one(index, processor, pcm, metadata)
        return pcm

    async def _one(self, index: int, processor: AudioProcessor, pcm: bytes, metadata: dict[str, Any]) -> bytes:
        hook = f"processor {processor.name}"
        try:
            answer = await ask(lambda: processor.process(pcm, metadata), hook=hook, expected=bytes, timeout_s=TIMEOUT_S)
            if len(answer) % SAMPLE_BYTES:
                logger.error("processor returned half a sample", extra={"hook": hook})
                raise HookFailed(hook)
        except HookFailed:
            self._failed(index, hook)
            return pcm
        self._failures[index] = 0
        return answer

    def _failed(self, index: int, hook: str) -> None:
        failures = self._failures[index] = self._failures.get(index, 0) + 1
        if failures >= MAX_FAILURES:
            logger.error("processor left out of this session", extra={"hook": hook, "session_id": self._session})

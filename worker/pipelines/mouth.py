"""A session's mouth: sentences through speech synthesis and processors, paced, to the caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from voicebackend.audio import Resampler
from voicebackend.interfaces import TextToSpeech, TransportLink
from voicebackend.telemetry import span
from worker.pipelines.playout import Playout
from worker.processors import Processors

logger = logging.getLogger(__name__)

READY_PIECES = 64
"""Pieces of audio that may wait to be played."""
_OFFLOAD_BYTES = 24_000
"""Bytes of PCM from which resampling takes over 2 ms and goes to a thread."""


class Progress(Protocol):
    """Hears how a turn's speech goes."""

    def clause_ready(self) -> None:
        """The first clause goes to synthesis."""

    async def sentence_begins(self, text: str) -> None:
        """The next frame is the first of this sentence."""

    def all_sent(self) -> None:
        """The turn's last frame is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Audio that is ready to be played."""

    pcm: bytes
    """At the caller's rate."""
    begins: str = ""
    """The sentence that begins with it; empty within one."""


class Mouth:
    """Speaks for one session, one turn at a time."""

    def __init__(self, tts: TextToSpeech | None, link: TransportLink, processors: Processors) -> None:
        self._tts, self._link, self._processors = tts, link, processors
        self._busy = asyncio.Lock()

    async def say(self, turn: int, sentences: AsyncIterator[str], progress: Progress) -> None:
        """Speak sentences as they come; returns when all has been played. Cancelling stops at once."""
        assert self._tts is not None  # noqa: S101 - checked where the pipeline is opened
        ready: asyncio.Queue[Piece | None] = asyncio.Queue(READY_PIECES)
        async with self._busy, asyncio.TaskGroup() as group:
            group.create_task(self._synthesise(self._tts, sentences, ready, progress), name=f"tts-{turn}")
            group.create_task(self._play(turn, ready, progress), name=f"playout-{turn}")

    async def play(self, turn: int, pcm: bytes, sample_rate: int) -> None:
        """Play audio of the application's own; returns when it has been played."""
        rate = self._link.sample_rate
        async with self._busy:
            playout = Playout(self._link, turn)
            await playout.write(await asyncio.to_thread(Resampler(sample_rate, rate).process, pcm))
            await playout.flush()
            await playout.played()

    async def _synthesise(
        self, tts: TextToSpeech, sentences: AsyncIterator[str], ready: asyncio.Queue[Piece | None], progress: Progress
    ) -> None:
        async for sentence in sentences:
            progress.clause_ready()
            begins = sentence
            with span("tts.synthesize", provider=tts.name):
                async with aclosing(self._convert(tts, sentence)) as audio:
                    async for pcm in audio:
                        await ready.put(Piece(pcm=pcm, begins=begins))
                        begins = ""
                logger.info("speech synthesised", extra={"engine": tts.name, "characters": len(sentence)})
        await ready.put(None)

    async def _convert(self, tts: TextToSpeech, sentence: str) -> AsyncGenerator[bytes, None]:
        """Yield one sentence's audio at the caller's rate, after the processors."""
        rate = self._link.sample_rate
        resampler = Resampler(tts.sample_rate, rate)
        async for pcm in tts.synthesize(sentence):
            offload = len(pcm) > _OFFLOAD_BYTES
            converted = await asyncio.to_thread(resampler.process, pcm) if offload else resampler.process(pcm)
            if self._processors:
                converted = await self._processors.process(converted, direction="out", sample_rate=rate)
            yield converted

    async def _play(self, turn: int, ready: asyncio.Queue[Piece | None], progress: Progress) -> None:
        playout = Playout(self._link, turn)
        while (piece := await ready.get()) is not None:
            if piece.begins:
                await progress.sentence_begins(piece.begins)
            await playout.write(piece.pcm)
        await playout.flush()
        progress.all_sent()
        await playout.played()

"""Audio of the application's own, which has the floor like an answer: played as it comes, and not noted down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from voicebackend.audio import PIPELINE_RATE
from worker.pipelines.announcement import Announcement
from worker.pipelines.answer import Answer
from worker.pipelines.answer_parts import AnswerParts
from worker.pipelines.saying import Saying
from worker.speech.clauses import Clause

JOIN_S = 0.3
"""Seconds after a piece within which the next one continues it: what is sent as it is made comes with gaps."""


class Clip(Answer):
    """Plays pieces of 16 kHz PCM from a queue until no more come; ``cut`` drops those that wait in it."""

    def __init__(self, turn: int, pieces: asyncio.Queue[bytes], parts: AnswerParts) -> None:
        super().__init__(Announcement(turn, ""), parts)
        self._pieces = pieces

    def cut(self) -> asyncio.Task[None]:
        """Fall silent; what waits to be played is not heard."""
        while not self._pieces.empty():
            self._pieces.get_nowait()
        return super().cut()

    async def _speak(self) -> None:
        saying = Saying(Clause("", "", ()))
        self._text.sayings.append(saying)
        await self._mouth.play(
            self.playout, saying, self._audio(), self, sample_rate=PIPELINE_RATE, may_play=self._committed
        )

    async def _audio(self) -> AsyncGenerator[bytes, None]:
        while (pcm := await self._next()) is not None:
            yield pcm

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(JOIN_S):
                return await self._pieces.get()
        except TimeoutError:
            return None

    async def _voice_cut_off(self, played_ms: float) -> None:
        """No voice said it."""

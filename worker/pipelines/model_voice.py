"""A speech-to-speech model's voice: what it says by itself, and what it is given to say, as a text-to-speech engine."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.errors import OperationTimeout
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech, TextToSpeech
from voicebackend.telemetry import frames_dropped
from worker.pipelines.meter import Meter
from worker.pipelines.model_turn import ModelTurn

logger = logging.getLogger(__name__)

SAY_S = 10.0
"""Seconds that the model has for the next piece of what it is given to say."""
INTERRUPT_S = 2.0
"""Seconds that it has to stop."""
STALE_S = 1.0
"""Seconds after that in which more of what was dropped may come before its end; then it is something new."""


class ModelVoice(TextToSpeech):
    """One session's. Sorts the model's events into turns; ``on_turn`` hears of an answer that it begins by itself."""

    stream: S2sStream
    """Set once the model was reached."""

    def __init__(self, engine: SpeechToSpeech, on_turn: Callable[[ModelTurn], None] | None, meter: Meter) -> None:
        super().__init__()
        self.name = engine.name  # type: ignore[misc]  # a class's elsewhere; this one speaks for another
        self.sample_rate, self._engine = engine.sample_rate, engine
        self._on_turn, self._meter = on_turn, meter
        self._turn: ModelTurn | None = None
        self._asked: ModelTurn | None = None
        """What the model was given to say, before the first of it comes."""
        self._clock = asyncio.get_running_loop().time
        self._stale_until = math.inf

    @property
    def at_work(self) -> str:
        """The name of the engine that speaks."""
        return self._engine.at_work

    def take(self, event: S2sEvent) -> None:
        """Take ``audio``, ``agent_text``, ``hold_tone`` or ``turn_done``."""
        if event.kind == "audio":
            self._meter.add("s2s", self.at_work, "seconds_out", len(event.pcm) / SAMPLE_BYTES / self.sample_rate)
        if self._turn is not None and self._turn.dropped and self._clock() > self._stale_until:
            self._turn = None
        if self._turn is None and event.kind != "turn_done":
            self._turn, self._asked = self._asked or self._uncalled(), None
        if self._turn is not None:
            self._turn.take(event)
            if event.kind == "turn_done":
                self._turn = None

    def ended(self) -> None:
        """Hear that the model has hung up: nothing more comes of what it was saying."""
        self.take(S2sEvent(kind="turn_done"))

    def _uncalled(self) -> ModelTurn:
        """Return what the model begins by itself."""
        turn = ModelTurn(self.sample_rate)
        if self._on_turn is None:
            logger.warning("the model speaks although an agent answers")
            frames_dropped.add(1, {"where": "s2s uncalled"})
            turn.drop()
        else:
            self._on_turn(turn)
        return turn

    async def synthesize(self, text: str) -> AsyncIterator[bytes]:
        """Have the model say it, and yield its audio.

        Raises:
            OperationTimeout: the model fell silent before it had finished.

        """
        turn = self._asked = ModelTurn(self.sample_rate)
        try:
            await self.stream.say(text)
            async with aclosing(turn.audio()) as audio:
                while (pcm := await self._next(turn, audio)) is not None:
                    yield pcm
        finally:
            turn.drop()

    async def _next(self, turn: ModelTurn, audio: AsyncGenerator[bytes, None]) -> bytes | None:
        """Return the next of it, None at its end."""
        try:
            async with asyncio.timeout(SAY_S):
                return await anext(audio, None)
        except TimeoutError as error:
            turn.drop()
            await self.interrupt(0.0)
            raise OperationTimeout("s2s", "the model did not speak in time") from error

    async def interrupt(self, played_ms: float) -> None:
        """Have the model stop what was dropped, and remember what was played of it."""
        self._asked = None
        self._stale_until = self._clock() + STALE_S
        try:
            async with asyncio.timeout(INTERRUPT_S):
                await self.stream.interrupt(played_ms)
        except Exception:
            logger.exception("the model could not be interrupted")

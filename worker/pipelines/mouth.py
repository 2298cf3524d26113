"""A session's mouth: clauses through speech synthesis and processors, paced, to the caller."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from voicebackend.audio import SAMPLE_BYTES, Resampler
from voicebackend.errors import OperationTimeout, VoiceBackendError
from voicebackend.hooks import Stage
from voicebackend.interfaces import TextToSpeech, TransportLink, WordTime
from voicebackend.levels import Limiter
from voicebackend.retry import RetryPolicy
from voicebackend.tracing import model, span
from worker.pipelines.meter import Meter
from worker.pipelines.playout import Playout
from worker.pipelines.resumption import forget_unsaid
from worker.pipelines.saying import Saying
from worker.processors import Processors

logger = logging.getLogger(__name__)

VOICE_S = 10.0
"""Seconds that a voice has for its next piece of audio."""
READY_PIECES = 64
"""Pieces of audio that may wait to be played."""
SLICE_BYTES = 24_000
"""Of what an engine yields, this much is converted at once: about 0.3 ms, then others have their turn."""


RETRY = RetryPolicy(max_delay_s=2.0)
"""Of a clause whose voice failed before its first audio: someone waits."""


class Progress(Protocol):
    """Hears how a turn's speech goes."""

    def clause_ready(self, saying: Saying) -> None:
        """A clause goes to synthesis."""

    def clause_begins(self, saying: Saying) -> None:
        """The next frame is the first of this clause."""

    def clause_made(self) -> None:
        """All of a clause's audio was made."""

    def all_made(self) -> None:
        """There is nothing more to synthesise."""

    def all_sent(self) -> None:
        """The turn's last frame is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Audio that is ready to be played, at the caller's rate."""

    saying: Saying
    pcm: bytes


class Mouth:
    """Speaks for one session, one turn at a time."""

    def __init__(
        self,
        tts: TextToSpeech,
        link: TransportLink,
        processors: Processors,
        *,
        stage: Stage = Stage.POST_TTS,
        on_cut: Callable[[float], Awaitable[None]] | None = None,
        retry: RetryPolicy = RETRY,
        meter: Meter | None = None,
    ) -> None:
        self._tts, self._link, self._processors = tts, link, processors
        self._stage, self._on_cut, self._retry = stage, on_cut, retry
        self._role = "tts" if stage is Stage.POST_TTS else "s2s"
        self.meter = meter or Meter()
        """Counts what the voice is given."""
        self._busy = asyncio.Lock()
        self._rate = link.sample_rate
        self._resampler = Resampler(tts.sample_rate, self._rate)
        self._limiter = Limiter(self._rate)

    async def say(
        self, playout: Playout, clauses: AsyncIterator[Saying], progress: Progress, *, may_play: asyncio.Event
    ) -> None:
        """Speak clauses as they come; returns when all has been played. Cancelling stops at once.

        Until ``may_play`` is set, the first clause is made and none is heard.
        """
        await self._run(lambda ready: self._synthesise(clauses, ready, progress, may_play), playout, progress, may_play)

    async def relay(
        self,
        playout: Playout,
        saying: Saying,
        audio: AsyncGenerator[bytes, None],
        progress: Progress,
        *,
        may_play: asyncio.Event,
    ) -> None:
        """Like ``say``, but play audio that comes with its text, as one saying that grows; PCM at the engine's rate."""
        await self._run(lambda ready: self._convert(saying, audio, ready, progress), playout, progress, may_play)

    async def play(
        self,
        playout: Playout,
        saying: Saying,
        audio: AsyncGenerator[bytes, None],
        progress: Progress,
        *,
        sample_rate: int,
        may_play: asyncio.Event,
    ) -> None:
        """Like ``relay``, but play audio of the application's own, s16le at any rate, which no processor sees."""
        await self._run(
            lambda ready: self._convert(saying, audio, ready, progress, sample_rate), playout, progress, may_play
        )

    def count(self, saying: Saying) -> None:
        """Count what the voice is given, or was given by a worker that went before it could tell."""
        if saying.clause.spoken:
            self.meter.add(self._role, self._tts.at_work, "characters", len(saying.clause.spoken))

    async def cut_off(self, played_ms: float) -> None:
        """Hear that speech was cut off when so much of its last clause had been played."""
        if self._on_cut is not None:
            await self._on_cut(played_ms)

    async def _run(
        self,
        make: Callable[[asyncio.Queue[Piece | None]], Coroutine[Any, Any, None]],
        playout: Playout,
        progress: Progress,
        may_play: asyncio.Event,
    ) -> None:
        """Play while it is made; if making fails, what was made before is heard first."""
        ready: asyncio.Queue[Piece | None] = asyncio.Queue(READY_PIECES)
        async with self._busy, asyncio.TaskGroup() as group:
            making = group.create_task(_made(make(ready), ready, progress), name=f"tts-{playout.turn}")
            group.create_task(self._play(playout, ready, progress, may_play), name=f"playout-{playout.turn}")
        if (failed := making.result()) is not None:
            raise failed

    async def _convert(
        self,
        saying: Saying,
        audio: AsyncGenerator[bytes, None],
        ready: asyncio.Queue[Piece | None],
        progress: Progress,
        own_rate: int | None = None,
    ) -> None:
        """Bring audio to the caller's rate: the engine's, or with a rate of its own the application's."""
        self._tune()
        finish = self._finish if own_rate is None else self._limit
        resampler = self._resampler if own_rate is None else Resampler(own_rate, self._rate)
        progress.clause_ready(saying)
        async with aclosing(audio):
            async for made in audio:
                for piece in _sliced(made):
                    await finish(saying, resampler.process(piece), ready)
        await finish(saying, resampler.flush(), ready)
        saying.complete = True

    async def _synthesise(
        self,
        clauses: AsyncIterator[Saying],
        ready: asyncio.Queue[Piece | None],
        progress: Progress,
        may_play: asyncio.Event,
    ) -> None:
        self._tune()
        async for saying in clauses:
            text = saying.unsaid
            progress.clause_ready(saying)
            await ready.put(Piece(saying=saying, pcm=b""))
            with span("tts.synthesize", **model(self._tts.name, gives="speech")):
                if text:
                    await self._make(saying, ready)
                logger.info("speech synthesised", extra={"engine": self._tts.name, "characters": len(text)})
            saying.complete = True
            progress.clause_made()
            await may_play.wait()

    async def _make(self, saying: Saying, ready: asyncio.Queue[Piece | None]) -> None:
        """Make one clause's audio; try again where that may help and nothing of it has been made."""
        attempt = 1
        while True:
            try:
                return await self._try(saying, ready)
            except VoiceBackendError as error:
                delay = self._retry.delay_after(attempt, error, jitter=random.random())  # noqa: S311 - jitter
                if delay is None or saying.made_ms > saying.resumed_ms:
                    raise
                logger.warning("voice failed, trying again", extra={"error_code": str(error.code), "attempt": attempt})
            await asyncio.sleep(delay)
            attempt += 1

    async def _try(self, saying: Saying, ready: asyncio.Queue[Piece | None]) -> None:
        """Make one clause's audio at the caller's rate, after the processors."""
        forget_unsaid(saying)
        after_s = saying.resumed_ms / 1000
        async with aclosing(self._tts.synthesize(saying.unsaid)) as audio:  # type: ignore[type-var]
            while (made := await _next(audio)) is not None:
                if isinstance(made, WordTime):
                    saying.words.append(WordTime(made.word, made.start_s + after_s, made.end_s + after_s))
                    continue
                for piece in _sliced(made):
                    await self._finish(saying, self._resampler.process(piece), ready)
        await self._finish(saying, self._resampler.flush(), ready)

    async def _finish(self, saying: Saying, pcm: bytes, ready: asyncio.Queue[Piece | None]) -> None:
        if self._processors:
            pcm = await self._processors.process(pcm, stage=self._stage, sample_rate=self._rate)
        await self._limit(saying, pcm, ready)

    async def _limit(self, saying: Saying, pcm: bytes, ready: asyncio.Queue[Piece | None]) -> None:
        pcm = self._limiter.process(pcm)
        if pcm:
            saying.made_ms += len(pcm) / SAMPLE_BYTES / self._rate * 1000
            await ready.put(Piece(saying=saying, pcm=pcm))

    def _tune(self) -> None:
        """Begin a turn: forget what one that was cut off left behind, and follow a caller who came back."""
        self._resampler.flush()
        if self._rate != self._link.sample_rate:
            self._rate = self._link.sample_rate
            self._resampler.retarget(self._rate)
            self._limiter = Limiter(self._rate)

    async def _play(
        self, playout: Playout, ready: asyncio.Queue[Piece | None], progress: Progress, may_play: asyncio.Event
    ) -> None:
        await may_play.wait()
        while (piece := await ready.get()) is not None:
            if piece.saying.start_ms is None:
                if not piece.pcm and piece.saying.clause.spoken:
                    continue  # its audio comes next
                piece.saying.start_ms = playout.sent_ms
                progress.clause_begins(piece.saying)
            await playout.write(piece.pcm)
        await playout.flush()
        progress.all_sent()
        await playout.played()


async def _made(
    work: Coroutine[Any, Any, None], ready: asyncio.Queue[Piece | None], progress: Progress
) -> Exception | None:
    """Make a turn's audio to its end; return the error that was the end of it."""
    failed = None
    try:
        await work
    except Exception as error:  # noqa: BLE001 - raised once what was made has been heard
        failed = error
    progress.all_made()
    await ready.put(None)
    return failed


async def _next(audio: AsyncIterator[bytes | WordTime]) -> bytes | WordTime | None:
    """Return what the voice makes next, None after the last; raises OperationTimeout."""
    try:
        async with asyncio.timeout(VOICE_S):
            return await anext(audio, None)
    except TimeoutError as error:
        raise OperationTimeout("speech", "the voice did not go on in time") from error


def _sliced(pcm: bytes) -> Iterator[bytes]:
    return (pcm[at : at + SLICE_BYTES] for at in range(0, len(pcm), SLICE_BYTES))

"""This product as it ships: its ear with the default engines, a turn at a time, in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.turn_ends.corpus import Turn
from providers.local.provider import DEFAULT_ENGINES
from providers.registry import NOISE, STT, TURN, VAD
from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.conversation import Endpointing
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import Engines, Recognition, SpeechToText, SttStream, TurnDetector, TurnEvidence
from voicebackend.virtual_time import run
from worker.pipelines.ear import Ear
from worker.pipelines.hearing import Heard, Utterance
from worker.pipelines.meter import Meter
from worker.processors import Processors

STT_S = 0.1
"""From a pause to its transcript, as for every system here: the real recogniser takes no virtual time."""
RECOGNISER = "moonshine"
_FRAME = PIPELINE_RATE * FRAME_MS // 1000 * SAMPLE_BYTES


@dataclass(slots=True)
class Found:
    """What the ear made of all turns."""

    decisions: dict[str, list[float]] = field(default_factory=dict)
    """For each turn by its id: seconds at which it was taken to be over."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """What was understood at each."""
    counts: Counter[str] = field(default_factory=Counter)
    """``flushes``: transcripts asked for; ``detector_calls``."""
    detector_s: float = 0.0
    """Real seconds that the turn detector took."""


def listen(turns: Iterable[Turn]) -> Found:
    """Let the shipped ear hear every turn, each in a session of its own."""
    return run(_listen(turns))


async def _listen(turns: Iterable[Turn]) -> Found:
    found = Found()
    loop = asyncio.get_running_loop()
    engines = Engines(
        stt=DelayedStt(STT.create(RECOGNISER, {}), found),
        vad=VAD.create(DEFAULT_ENGINES["vad"], {}),
        turn=TimedTurn(TURN.create(DEFAULT_ENGINES["turn"], {}), found),
        noise=NOISE.create(DEFAULT_ENGINES["noise"], {}),
    )
    for engine in engines.all():
        await engine.open()
    for turn in turns:
        listener = Notes(loop.time)
        ear = Ear(engines, Processors((), "benchmark"), listener, Endpointing(), Meter())
        hearing = asyncio.create_task(ear.run(), name="ear")
        for start in range(0, len(turn.pcm), _FRAME):
            await asyncio.sleep(FRAME_MS / 1000)
            ear.push(turn.pcm[start : start + _FRAME])
        await asyncio.sleep(FRAME_MS / 1000)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        found.decisions[turn.id], found.texts[turn.id] = listener.decisions, listener.texts
    for engine in engines.all():
        await engine.aclose()
    return found


class Notes:
    """Notes when turns were over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._began = clock, clock()
        self.decisions: list[float] = []
        self.texts: list[str] = []

    def hears(self, heard: Heard) -> None:
        """Nothing to note."""

    def partial(self, text: str) -> None:
        """Nothing to note."""

    def may_be_over(self, text: str) -> None:
        """Nothing to note: the agent may begin here, but nobody hears it yet."""

    def caught_up(self) -> None:
        """Nothing to note: no audio is heard again."""

    async def said(self, utterance: Utterance) -> None:
        """Note the end of a turn."""
        self.decisions.append(self._clock() - self._began)
        self.texts.append(utterance.text)

    def said_nothing(self) -> None:
        """Nothing to note: no agent is asked."""

    def failed(self, error: VoiceBackendError) -> None:
        """Stop: what an ear lost cannot be scored."""
        raise error


class DelayedStt(SpeechToText):
    """The real recogniser, whose transcripts come as late as everybody's."""

    name = "delayed"

    def __init__(self, engine: SpeechToText, found: Found) -> None:
        super().__init__()
        self._engine, self._found = engine, found

    async def open(self) -> None:
        """Open the recogniser."""
        await self._engine.open()

    async def aclose(self) -> None:
        """Close it."""
        await self._engine.aclose()

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear."""
        stream = DelayedStream(on_partial, self._found)
        stream.inner = await self._engine.stream(stream.report)
        return stream


class DelayedStream(SttStream):
    """Holds what was flushed back for a while."""

    inner: SttStream

    def __init__(self, on_partial: Callable[[Recognition], None], found: Found) -> None:
        self._on_partial, self._found = on_partial, found
        self._clock = asyncio.get_running_loop()
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def report(self, recognition: Recognition) -> None:
        """Pass on what was recognised, when it is due."""
        if recognition.flushed:
            self._timer = self._clock.call_at(self._due_at, self._on_partial, recognition)
        else:
            self._on_partial(recognition)

    async def push(self, pcm: bytes) -> None:
        """Take audio."""
        await self.inner.push(pcm)

    async def pause(self) -> None:
        """Ask for the transcript; an older one is news no more."""
        self._found.counts["flushes"] += 1
        self._due_at = self._clock.time() + STT_S
        if self._timer is not None:
            self._timer.cancel()
        await self.inner.pause()

    async def finish(self) -> Recognition:
        """Return the transcript."""
        return await self.inner.finish()

    async def discard(self) -> None:
        """Forget the utterance."""
        await self.inner.discard()

    async def aclose(self) -> None:
        """End the stream."""
        await self.inner.aclose()


class TimedTurn(TurnDetector):
    """The real detector, and how long it really takes."""

    name = "timed"

    def __init__(self, engine: TurnDetector, found: Found) -> None:
        super().__init__()
        self._engine, self._found = engine, found

    async def open(self) -> None:
        """Open the detector."""
        await self._engine.open()

    async def aclose(self) -> None:
        """Close it."""
        await self._engine.aclose()

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return what the detector says."""
        began = time.perf_counter()
        probability = await self._engine.end_of_turn(evidence)
        self._found.detector_s += time.perf_counter() - began
        self._found.counts["detector_calls"] += 1
        return probability

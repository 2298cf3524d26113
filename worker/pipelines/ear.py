"""A session's ear: caller audio through processors, noise canceller, voice detector and recogniser, to utterances."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress

from voicebackend import conversation
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, level_dbfs
from voicebackend.errors import VoiceBackendError
from voicebackend.hooks import Stage
from voicebackend.interfaces import Engines, Recognition, SttStream, TurnEvidence
from voicebackend.tracing import model, span
from worker.pipelines.hearing import Heard, Listener, Utterance
from worker.pipelines.intake import Intake, Piece
from worker.pipelines.judgement import CaughtUp, Judged, note, probability
from worker.pipelines.last_words import last_words
from worker.pipelines.meter import Meter
from worker.pipelines.recall import Recall
from worker.pipelines.snapshot import EarSnapshot
from worker.processors import Processors
from worker.turns.endpointing import Decision, Endpointing, Hearing
from worker.turns.habits import Habits
from worker.turns.hush import Hush
from worker.turns.waiting import waiting

logger = logging.getLogger(__name__)

FLUSH_S = 1.0
"""Seconds that a recogniser has for what was said up to a pause, when that is heard again faster than it was said."""
MAX_FAILURES = 3
"""Failures of the recogniser in a row that the session survives."""
REST_S = 0.2
"""Seconds before a recogniser that failed is opened again; twice as long after each failure."""
LINGER_S = 0.08
"""Seconds for which detectors go on to hear a voice that is silent."""
LIKELY = 0.5
"""From this probability on, the agent may begin on what seems to be a whole turn."""
_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES


class Ear:
    """Runs as one task; ``push`` is called from the lane's reader and never waits."""

    def __init__(
        self,
        engines: Engines,
        processors: Processors,
        listener: Listener,
        settings: conversation.Endpointing,
        meter: Meter,
        *,
        voice: bool = False,
    ) -> None:
        """``voice``: utterances are to have their audio."""
        assert engines.stt is not None and engines.vad is not None  # noqa: S101, PT018 - checked by the pipeline
        self._engines, self._processors, self._listener, self._meter = engines, processors, listener, meter
        self._stt_engine, self._vad_engine = engines.stt, engines.vad
        self._vad = engines.vad.stream()
        self._noise = engines.noise.stream() if engines.noise else None
        self._settings, self._habits, self._hush = settings, Habits(), Hush()
        self._endpointing = Endpointing(engines.vad.profile, settings)
        self._intake: Intake[Judged | CaughtUp] = Intake()
        self._recall, self._before = Recall(voice=voice), EarSnapshot()
        self._pushed = 0
        self._again = False
        self._flush_done = asyncio.Event()
        self._text = ""
        self._settled = self._flushed = False
        self._flushed_ago_s = math.inf
        self._pauses = self._failures = 0
        self._judging: asyncio.Task[None] | None = None
        self._clock = asyncio.get_running_loop().time
        self.deaf = False
        """Audio is not heard: the caller is on hold."""

    @property
    def hears_speech(self) -> bool:
        """Whether the caller is within a turn."""
        return self._endpointing.hearing is not Hearing.QUIET

    @property
    def voice(self) -> bytes:
        """What was said so far in the turn; nothing where another ear heard its beginning."""
        return b"" if self._before.text else self._recall.voice.pcm

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take caller audio; ``again``: another worker had heard it."""
        self._pushed += 1
        if again or not self.deaf:
            self._intake.push(pcm, self._pushed, again=again)

    def snapshot(self) -> EarSnapshot:
        """Return from where another ear must hear again."""
        return self._recall.snapshot(self._intake.oldest or self._pushed + 1, self._before)

    def restore(self, snapshot: EarSnapshot) -> None:
        """Before ``run``: be about to hear again; what was recognised before that is kept."""
        self._again = True
        if snapshot.text:
            self._before, self._text = snapshot, snapshot.text
            self._endpointing.resume(snapshot.speech_s)
            self._recall.begin()

    def heard_again(self) -> None:
        """Hear that from now on audio is new."""
        self._intake.note(CaughtUp())

    async def run(self) -> None:
        """Listen until cancelled; a recogniser that fails costs what was being said.

        Raises:
            VoiceBackendError: it failed again and again.

        """
        while True:
            try:
                await self._listen()
            except VoiceBackendError as error:
                self._failures += 1
                if self._failures > MAX_FAILURES:
                    raise
                logger.warning("recogniser failed", extra={"error_code": str(error.code), "failures": self._failures})
                self._reset()
                self._listener.failed(error)
                await asyncio.sleep(REST_S * 2 ** (self._failures - 1))

    async def _listen(self) -> None:
        stt = await self._stt_engine.stream(self._recognised)
        try:
            while True:
                item = await self._intake.next(in_turn=self.hears_speech)
                if isinstance(item, Judged):
                    await self._act(stt, self._decide(item))
                elif isinstance(item, CaughtUp):
                    self._again = False
                    self._listener.caught_up()
                else:
                    await self._hear(stt, item)
        finally:
            self._intake.close()
            self._stop_judging()
            await stt.aclose()

    def _recognised(self, recognition: Recognition) -> None:
        """Take what the recogniser reports; what it flushed is judged."""
        self._text = self._before.whole(recognition.text)
        if self._text and not self._again:
            self._listener.partial(self._text)
        if recognition.flushed:
            self._recall.flushed(recognition.text)
            self._flushed = True
            self._flush_done.set()
            self._settle()
        if self.hears_speech:
            self._listener.hears(self._heard())

    def _settle(self) -> None:
        """The caller is silent, and the recogniser has said all: have it judged."""
        if self._flushed and self._endpointing.hearing is Hearing.PAUSE and self._judging is None:
            self._settled = True
            self._judging = asyncio.create_task(self._judge(self._pauses), name="end-of-turn")

    async def _hear(self, stt: SttStream, piece: Piece) -> None:
        pcm = piece.pcm
        if self._processors:
            pcm = await self._processors.process(pcm, stage=Stage.PRE_STT, sample_rate=PIPELINE_RATE)
        clean = self._noise.process(pcm) if self._noise else pcm
        self._recall.keep(piece.number, clean, in_turn=self.hears_speech)
        if self.hears_speech:
            await stt.push(clean)
        await self._hear_hush(stt, clean)
        for voiced in await self._vad.judge(clean):
            silence_s = self._endpointing.silence_s
            decision = self._endpointing.step(voiced, self._vad_engine.frame_s)
            if decision is Decision.RESUMED:
                self._habits.went_on(silence_s)
            await self._act(stt, decision)
        if self._endpointing.hearing is Hearing.SPEECH and self._recall.needs_flush(loud=self._hush.loud):
            await self._flush(stt)
        if self.hears_speech:
            self._listener.hears(self._heard())

    async def _hear_hush(self, stt: SttStream, pcm: bytes) -> None:
        """Let recognition begin as soon as the level says that the voice is silent: the detector takes longer."""
        hushed = self._hush.step(level_dbfs(pcm), len(pcm) / _BYTES_PER_S)
        self._flushed_ago_s = math.inf if self._hush.loud else self._flushed_ago_s + len(pcm) / _BYTES_PER_S
        if hushed and self._settings.eager and self._endpointing.hearing is Hearing.SPEECH:
            await self._flush(stt)

    async def _flush(self, stt: SttStream) -> None:
        """Have all that was said so far recognised."""
        self._flushed, self._flushed_ago_s = False, 0.0
        self._flush_done.clear()
        self._recall.flushing(self._endpointing.speech_s)
        await stt.pause()

    async def _act(self, stt: SttStream, decision: Decision | None) -> None:
        match decision:
            case Decision.STARTED:
                self._text = ""
                self._hush.reset()
                self._flushed_ago_s = math.inf
                self._recall.begin()
                await stt.push(self._recall.audio)
            case Decision.PAUSED:
                self._pauses += 1
                if self._again:
                    await self._act(stt, await self._judge_now(stt))
                elif self._settings.eager and self._flushed_ago_s <= self._endpointing.silence_s + LINGER_S:
                    self._settle()  # nothing was said since
                else:
                    await self._flush(stt)
            case Decision.RESUMED:
                self._settled = False
                self._stop_judging()
            case Decision.MAY_END:
                await self._act(stt, await self._may_end())
            case Decision.ENDED:
                await self._end(stt)
            case Decision.CUT:
                logger.info("turn cut", extra={"speech_s": round(self._endpointing.speech_s, 3)})
                await stt.pause()
                await self._end(stt)
            case None:
                pass

    async def _judge(self, pause: int) -> None:
        """Ask the turn detector about this pause; the answer waits its turn among the audio."""
        self._intake.note(Judged(pause, await self._probability()))

    async def _judge_now(self, stt: SttStream) -> Decision | None:
        """Judge a pause before more is heard: what is heard again does not take the time in which that happens."""
        await self._flush(stt)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._flush_done.wait(), FLUSH_S)
        self._settled = self._flushed
        return await self._may_end()

    async def _may_end(self) -> Decision | None:
        """Nobody has judged this pause in time: now it must be."""
        self._stop_judging()
        return self._decide(Judged(self._pauses, await self._probability()))

    def _decide(self, judged: Judged) -> Decision | None:
        """Say how long to wait; the turn may be over at once."""
        if judged.pause != self._pauses or self._endpointing.hearing is not Hearing.PAUSE:
            return None
        text, silence_s = self._text, self._endpointing.silence_s
        base_s = self._vad_engine.profile.stop_s
        decided = waiting(text, judged.probability, base_s=base_s, settings=self._settings, habits=self._habits)
        note(decided, silence_s=silence_s, characters=len(text))
        decision = self._endpointing.wait_until(decided.seconds)
        if decision is None and text and (judged.probability is None or judged.probability >= LIKELY):
            self._listener.may_be_over(text)
        return decision

    async def _probability(self) -> float | None:
        """Ask the turn detector about what was said."""
        silence_s = self._endpointing.silence_s
        evidence = TurnEvidence(text=self._text, silence_s=silence_s, audio=self._recall.audio)
        return await probability(self._engines.turn, evidence)

    def _stop_judging(self) -> None:
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None

    async def _end(self, stt: SttStream) -> None:
        self._stop_judging()
        decided = self._clock()
        silence_s, speech_s = self._endpointing.silence_s, self._endpointing.speech_s
        with span("stt.finish", **model(self._stt_engine.name, gives="text")):
            final = await last_words(stt)
            logger.info("speech recognised", extra={"engine": self._stt_engine.name, "characters": len(final.text)})
        self._failures = 0
        text, last, voice = self._before.whole(final.text.strip()), self._recall.last, self.voice
        self._reset()
        if text:
            spoken_s, ended = max(0.0, speech_s - silence_s), decided - silence_s
            said = Utterance(text=text, speech_s=spoken_s, speech_end=ended, decided=decided, last=last, voice=voice)
            await self._listener.said(said)
        else:
            self._listener.said_nothing()

    def _reset(self) -> None:
        """Begin a new turn; what belonged to the one before is not heard again."""
        self._meter.add("stt", self._stt_engine.at_work, "seconds", self._before.speech_s + self._recall.utterance_s)
        self._endpointing.reset()
        self._vad.reset()
        self._settled = False
        self._recall.end()
        self._before = EarSnapshot()

    def _heard(self) -> Heard:
        at = self._endpointing
        spoken_s = max(0.0, at.speech_s - at.silence_s)
        return Heard(speech_s=spoken_s, text=self._text, silence_s=at.silence_s, settled=self._settled)

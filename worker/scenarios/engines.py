"""The scripted engines: they hear and speak tones, and take the time that the scenario says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from providers.engines.turn.dangling import finished
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.cli.words import words
from voicebackend.errors import PipelineError
from voicebackend.interfaces import (
    Recognition,
    SpeechToText,
    SttStream,
    TurnDetector,
    TurnEvidence,
    VadStream,
    VoiceActivityDetector,
)
from worker.scenarios.format import SttScript, TurnScript
from worker.scenarios.sounds import likeness
from worker.scenarios.tape import Tape

_PARTIAL_S = 0.2
"""Seconds of audio between two looks at the words so far."""
_HANGS_S = 3600.0


class ScriptedVad(VoiceActivityDetector):
    """Judges by loudness, in windows as long as Silero's and by the same profile."""

    name = "scripted"
    frame_s = 512 / PIPELINE_RATE

    def stream(self) -> VadStream:
        """Open a detector."""
        return _VadStream(round(self.frame_s * PIPELINE_RATE) * SAMPLE_BYTES)


class _VadStream(VadStream):
    def __init__(self, window: int) -> None:
        self._window, self._rest = window, b""

    def process(self, pcm: bytes) -> list[float]:
        """Return a probability for each window completed."""
        data = self._rest + pcm
        whole = len(data) - len(data) % self._window
        self._rest = data[whole:]
        return [likeness(data[at : at + self._window]) for at in range(0, whole, self._window)]

    def reset(self) -> None:
        """Forget the past."""
        self._rest = b""


class ScriptedStt(SpeechToText):
    """Reads what it is given back from the tones: audio that the pipeline lost is lost to it too."""

    name = "scripted"

    def __init__(self, script: SttScript, interim: Mapping[str, str]) -> None:
        super().__init__()
        self._script, self._interim = script, interim
        self.streams = 0
        """Opened so far."""

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear."""
        self.streams += 1
        return _SttStream(self._script.delay, self._interim, on_partial)


class _SttStream(SttStream):
    def __init__(self, delay_s: float, interim: Mapping[str, str], on_partial: Callable[[Recognition], None]) -> None:
        self._delay_s, self._interim, self._on_partial = delay_s, interim, on_partial
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._cancel_timer()
        self._tape, self._looked_at, self._told = Tape(PIPELINE_RATE), 0, ""
        self._ready_at: float | None = None

    async def push(self, pcm: bytes) -> None:
        """Take audio; report the words that are whole, every now and then."""
        self._tape.push(pcm)
        if self._tape.samples - self._looked_at >= _PARTIAL_S * PIPELINE_RATE:
            self._looked_at = self._tape.samples
            whole = self._tape.text.rpartition(" ")[0]
            if whole and whole != self._told:
                self._told = whole
                self._on_partial(Recognition(text=whole, final=False))

    async def pause(self) -> None:
        """Start on the result; it is reported when its delay is over."""
        self._cancel_timer()
        loop = asyncio.get_running_loop()
        self._ready_at = loop.time() + self._delay_s
        text = self._at_first(self._read())
        self._timer = loop.call_at(
            self._ready_at, lambda: self._on_partial(Recognition(text=text, final=False, flushed=True))
        )

    async def finish(self) -> Recognition:
        """Return all that was said once the delay since the pause is over."""
        text, ready_at, loop = self._read(), self._ready_at, asyncio.get_running_loop()
        self._begin()
        due = loop.time() + self._delay_s if ready_at is None else ready_at
        await asyncio.sleep(max(0.0, due - loop.time()))
        return Recognition(text=text, final=True)

    async def discard(self) -> None:
        """Forget the utterance."""
        self._begin()

    async def aclose(self) -> None:
        """End the stream."""
        self._cancel_timer()

    def _read(self) -> str:
        self._tape.flush()
        return self._tape.text.strip()

    def _at_first(self, text: str) -> str:
        for said, interim in self._interim.items():
            if text.endswith(said):
                return text.removesuffix(said) + interim
        return text

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ScriptedTurn(TurnDetector):
    """Finds what the caller says as finished as the scenario says, else as a rule on its last word says."""

    name = "scripted"

    def __init__(self, script: TurnScript, told: Mapping[str, float]) -> None:
        super().__init__()
        self._script, self._told = script, told

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the probability, fail or hang."""
        await asyncio.sleep(_HANGS_S if self._script.hangs else self._script.delay)
        if self._script.fails:
            raise PipelineError("scripted turn", "scripted failure")
        heard = " ".join(words(evidence.text))
        for text, probability in self._told.items():
            if heard.endswith(" ".join(words(text))):
                return probability
        return finished(evidence.text)

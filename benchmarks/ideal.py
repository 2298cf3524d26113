"""How long an answer would take if machine, models and network took no time: the same audio and rules in virtual time.

What a real turn takes beyond that is its overhead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.speech import FRAME_S, Saying, quiet
from providers.registry import ENGINES
from voicebackend.conversation import Endpointing
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import Engines
from voicebackend.virtual_time import run
from worker.pipelines.ear import Ear
from worker.pipelines.hearing import Heard, Utterance
from worker.pipelines.meter import Meter
from worker.processors import Processors

NamedEngines = Mapping[str, tuple[str, Mapping[str, Any]]]
"""For each role, an engine's name and settings."""
PHASES = 8
"""The voice detector looks at 32 ms at a time, frames have 20: a saying can begin in eight places of its grid."""
_LEAD = 40
"""Frames of quiet before, a multiple of ``PHASES``."""
_TAIL_S = 3.0


def answers_ms(
    sayings: Sequence[Saying], engines: NamedEngines, endpointing: Endpointing, answer_s: float
) -> dict[str, float]:
    """Return, for each saying by name, milliseconds from its last frame of speech to the answer's first audio.

    ``answer_s`` is what agent and voice take by script, from a transcript to the first audio. The median over the
    places of the detector's grid in which a saying can begin.
    """
    return run(_answers(sayings, engines, endpointing, answer_s))


async def _answers(
    sayings: Sequence[Saying], named: NamedEngines, endpointing: Endpointing, answer_s: float
) -> dict[str, float]:
    engines = Engines(**{role: ENGINES[role].create(name, settings) for role, (name, settings) in named.items()})
    for engine in engines.all():
        await engine.open()
    try:
        return {
            saying.name: 1000
            * median([await _answer(saying, phase, engines, endpointing, answer_s) for phase in range(PHASES)])
            for saying in sayings
        }
    finally:
        for engine in engines.all():
            await engine.aclose()


async def _answer(saying: Saying, phase: int, engines: Engines, endpointing: Endpointing, answer_s: float) -> float:
    loop = asyncio.get_running_loop()
    notes = _Notes(loop.time)
    ear = Ear(engines, Processors((), "ideal"), notes, endpointing, Meter())
    hearing = asyncio.create_task(ear.run(), name="ear")
    silence = quiet()
    frames = [silence] * (_LEAD + phase) + list(saying.frames) + [silence] * round(_TAIL_S / FRAME_S)
    ended = 0.0
    for number, frame in enumerate(frames):
        await asyncio.sleep(FRAME_S)
        ear.push(frame)
        if number == _LEAD + phase + saying.end:
            ended = loop.time()
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return max(notes.decided, notes.guessed + answer_s) - ended


class _Notes:
    """Notes when the last turn was over, and when its answer was begun."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.decided = self.guessed = 0.0

    def hears(self, heard: Heard) -> None:
        """Nothing to note."""

    def partial(self, text: str) -> None:
        """Nothing to note."""

    def may_be_over(self, text: str) -> None:
        """Note that the agent is asked on a guess."""
        self.guessed = self._clock()

    def caught_up(self) -> None:
        """Nothing to note: no audio is heard again."""

    async def said(self, utterance: Utterance) -> None:
        """Note the end of a turn; without a guess the agent is asked now."""
        self.decided = self._clock()
        self.guessed = self.guessed or self.decided

    def said_nothing(self) -> None:
        """Nothing to note: no agent is asked."""

    def failed(self, error: VoiceBackendError) -> None:
        """Stop: what an ear lost cannot be timed."""
        raise error

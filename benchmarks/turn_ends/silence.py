"""The usual endpointing: a turn is over after 500 ms of what Silero calls silence, and nothing else counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from benchmarks.turn_ends.corpus import Turn
from providers.local.provider import DEFAULT_ENGINES
from providers.registry import NOISE, VAD
from voicebackend.conversation import Endpointing as Settings
from voicebackend.interfaces import NoiseCanceller, VoiceActivityDetector
from worker.turns.endpointing import Decision, Endpointing

SILENCE_S = 0.5


def listen(turns: Iterable[Turn]) -> Mapping[str, list[float]]:
    """Return for each turn the seconds at which it was taken to be over."""
    return asyncio.run(_listen(turns))


async def _listen(turns: Iterable[Turn]) -> Mapping[str, list[float]]:
    vad, noise = VAD.create(DEFAULT_ENGINES["vad"], {}), NOISE.create(DEFAULT_ENGINES["noise"], {})
    await vad.open()
    await noise.open()
    return {turn.id: _decisions(turn.pcm, vad, noise) for turn in turns}


def _decisions(pcm: bytes, vad: VoiceActivityDetector, noise: NoiseCanceller) -> list[float]:
    endpointing = Endpointing(vad.profile, Settings(max_wait=timedelta(seconds=SILENCE_S)))
    found: list[float] = []
    for frame, probability in enumerate(vad.stream().process(noise.stream().process(pcm)), start=1):
        decision = endpointing.step(probability, vad.frame_s)
        if decision is Decision.PAUSED:
            endpointing.wait_until(SILENCE_S)
        elif decision in {Decision.ENDED, Decision.CUT}:
            found.append(frame * vad.frame_s)
            endpointing.reset()
    return found

"""Sounds that are no speech: how often they start a turn all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np

from benchmarks.turn_ends.sound import NOISES, noise, to_pcm
from providers.local.provider import DEFAULT_ENGINES
from providers.registry import NOISE, VAD
from voicebackend.audio import PIPELINE_RATE
from worker.turns.endpointing import Decision, Endpointing

LEVELS_DBFS = (-45, -30, -20)
SECONDS = 20


def false_starts() -> Mapping[str, float]:
    """Return the starts a minute for each noise, over three levels up to louder than speech."""
    return asyncio.run(_false_starts())


async def _false_starts() -> Mapping[str, float]:
    vad, canceller = VAD.create(DEFAULT_ENGINES["vad"], {}), NOISE.create(DEFAULT_ENGINES["noise"], {})
    await vad.open()
    await canceller.open()
    found = {}
    for kind in NOISES:
        starts = 0
        for level in LEVELS_DBFS:
            pcm = to_pcm(noise(kind, SECONDS * PIPELINE_RATE, level, np.random.default_rng(level + 100)))
            endpointing = Endpointing(vad.profile)
            for probability in vad.stream().process(canceller.stream().process(pcm)):
                starts += endpointing.step(probability, vad.frame_s) is Decision.STARTED
        found[kind] = starts * 60 / SECONDS / len(LEVELS_DBFS)
    return found

"""A scripted audio processor of the user's: one that works, and ones that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from voicebackend.audio import to_pcm, to_samples
from worker.scenarios.format import ProcessorScript

_GAIN = 0.8


class ScriptedProcessor:
    """Does what the scenario says, every time."""

    def __init__(self, script: ProcessorScript, order: int) -> None:
        self._does, self.stages, self.order = script.does, frozenset(script.stages), order
        self.name = f"{script.does}-{order}"

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Return the audio a little softer, fail, hang, or return half a sample."""
        del metadata
        match self._does:
            case "gain":
                return to_pcm(to_samples(audio) * _GAIN)
            case "hangs":
                await asyncio.sleep(3600)
            case "nonsense":
                return b"\0"
            case _:
                pass
        message = "scripted failure"
        raise RuntimeError(message)

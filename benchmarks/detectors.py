"""Which turn detectors can run here, and with which settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from providers.registry import TURN
from voicebackend.errors import InvalidConfig

_SMART_TURN = "pipecat/lib/python*/site-packages/pipecat/audio/turn/smart_turn/data/*-cpu.onnx"


def usable(names: Iterable[str], peers: Path) -> dict[str, Mapping[str, Any]]:
    """Return the settings of those that open; Smart Turn's model may lie in Pipecat's environment, in ``peers``."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in names:
        models = sorted(peers.absolute().glob(_SMART_TURN)) if name == "smart_turn" else []
        choices: list[Mapping[str, Any]] = [{}, *({"model": str(model)} for model in models[-1:])]
        settings = next((choice for choice in choices if asyncio.run(_opens(name, choice))), None)
        if settings is not None:
            found[name] = settings
    return found


async def _opens(name: str, settings: Mapping[str, Any]) -> bool:
    try:
        engine = TURN.create(name, settings)
        await engine.open()
    except InvalidConfig:
        return False
    await engine.aclose()
    return True

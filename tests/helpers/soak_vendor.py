"""The vendor of a soak's voices: it has a key, refuses at times, and tells the key as it does; then the mock speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from openai_double import OpenAiDouble

from providers.conformance.double import KEY, Fault

__all__ = ["KEY", "troubled", "voiced"]
_FAULTS = (None, None, *(Fault(kind="status", status=status, times=2) for status in (401, 429, 500)))


def voiced(vendor: OpenAiDouble) -> dict[str, Any]:
    """Return the fields of a ``BackendConfig``: the mock hears, this vendor speaks, or else the mock."""
    return {
        "provider": "local",
        "stt_provider": "mock",
        "tts_provider": "openai",
        "vad_provider": "energy",
        "turn_detection_provider": "silence",
        "noise_cancellation_provider": "none",
        "failover": {"tts": ["mock"]},
        "provider_config": {
            "stt": {"decode": True},
            "tts": {"api_key": KEY, "api_url": vendor.api_url, "model": "speak-1", "voice": "marin"},
        },
        "engine_settings": {"tts/mock": {"seconds_per_character": 0.03}},
    }


@asynccontextmanager
async def troubled(vendor: OpenAiDouble, random: Random, every_s: float = 3.0) -> AsyncIterator[None]:
    """Have the vendor refuse by lot meanwhile."""

    async def trouble() -> None:
        while True:
            vendor.order(random.choice(_FAULTS))
            await asyncio.sleep(every_s)

    task = asyncio.create_task(trouble(), name="vendor's trouble")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

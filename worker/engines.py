"""The engines of this process: each loaded once, shared by all sessions that name it with the same settings."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any, Self

from providers.registry import ENGINES, PROVIDERS
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Engine, Engines, VoiceProvider

logger = logging.getLogger(__name__)

_ROLES = {
    PipelineType.STT_TTS: ("stt", "tts", "vad", "turn", "noise"),
    PipelineType.S2S: ("s2s", "vad", "noise"),
}


class EnginePool:
    """Opens engines on first use and closes them all at the end."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str, str], Engine] = {}
        self._opening: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in reversed(self._engines.values()):
            await engine.aclose()
        self._engines.clear()

    async def provider(self, config: BackendConfig) -> VoiceProvider:
        """Return the provider that the config names, opened.

        Raises:
            ProviderNotFound: no provider has this name.
            InvalidConfig: its settings are wrong, or the config lacks what it needs.

        """
        config.checked(
            own_pipeline=PROVIDERS.get(config.provider).capabilities.own_pipeline if config.provider else False
        )
        provider = await self._get("provider", config.provider, config.provider_config)
        assert isinstance(provider, VoiceProvider)  # noqa: S101 - the registry of providers holds nothing else
        return provider

    async def engines(self, provider: VoiceProvider, config: BackendConfig, pipeline: PipelineType) -> Engines:
        """Return the engines of a local pipeline, opened."""
        named = provider.engines(config)
        found: dict[str, Any] = {}
        for role in _ROLES[pipeline]:
            if role in named:
                name, settings = named[role]
                found[role] = await self._get(role, name, settings)
        return Engines(**found)

    async def _get(self, role: str, name: str, settings: Mapping[str, Any]) -> Engine:
        key = (role, name, json.dumps(settings, sort_keys=True, default=str))
        async with self._opening.setdefault(key, asyncio.Lock()):
            if key not in self._engines:
                started = time.monotonic()
                registry: Any = PROVIDERS if role == "provider" else ENGINES[role]
                engine: Engine = registry.create(name, settings)
                await engine.open()
                self._engines[key] = engine
                took = round(time.monotonic() - started, 3)
                logger.info("engine opened", extra={"role": role, "engine": name, "seconds": took})
            return self._engines[key]

"""The engines of this process: each loaded once, shared by all sessions that name it with the same settings."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from providers.failover.candidates import Candidates
from providers.failover.engines import FAILOVER_ROLES, failover_engine
from providers.registry import ENGINES, PROVIDERS
from providers.remote.health import observed
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import Engine, Engines, VoiceProvider
from voicebackend.session import Health

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
"""Seconds that an engine has to close."""
_ROLES = {
    PipelineType.STT_TTS: ("stt", "tts", "vad", "turn", "noise"),
    PipelineType.S2S: ("s2s", "vad", "noise"),
}


class Named(NamedTuple):
    """An engine as a configuration names it."""

    role: str
    name: str
    settings: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """What engines are told apart by."""
        return self.role, self.name, json.dumps(self.settings, sort_keys=True, default=str)


class EnginePool:
    """Opens engines on first use and closes them all at the end."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str, str], Engine] = {}
        self._candidates: dict[tuple[tuple[str, str, str], ...], Candidates[Any]] = {}
        self._opening: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for engine in reversed(self._engines.values()):
            await _closed(engine)
        self._engines.clear()

    def health(self) -> dict[str, Health]:
        """Return how the providers and engines in use are doing, by name."""
        opened = {name: Health.HEALTHY for _, name, _ in self._engines}
        return opened | observed()

    async def provider(self, config: BackendConfig) -> VoiceProvider:
        """Return the provider that the config names, opened.

        Raises:
            ProviderNotFound: no provider has this name.
            InvalidConfig: its settings are wrong, or the config lacks what it needs.

        """
        config.checked(
            own_pipeline=PROVIDERS.get(config.provider).capabilities.own_pipeline if config.provider else False
        )
        settings = config.provider_config or config.settings_of("provider", config.provider)
        provider = await self._get("provider", config.provider, settings)
        assert isinstance(provider, VoiceProvider)  # noqa: S101 - the registry of providers holds nothing else
        return provider

    async def engines(
        self,
        provider: VoiceProvider,
        config: BackendConfig,
        pipeline: PipelineType,
        *,
        named: Mapping[str, str] = MappingProxyType({}),
    ) -> Engines:
        """Return the engines of a local pipeline, opened; those that may fail in a call with what takes over.

        Those that the session has ``named`` by role go by ``engine_settings``: the provider's are for others.

        Raises:
            InvalidConfig: the provider brings another engine than the session has named; or an engine's settings.

        """
        chosen = provider.engines(config)
        found: dict[str, Any] = {}
        for role in _ROLES[pipeline]:
            if role in chosen:
                name, settings = chosen[role]
                if named.get(role, name) != name:
                    message = f"{provider.name} brings its own {role}: {name}"
                    raise InvalidConfig("engines", message, details={"field": f"{role}_provider"})
                known = {} if role in named else settings
                first = Named(role, name, known or config.settings_of(role, name))
                found[role] = await self._with_failover(first, config)
        return Engines(**found)

    async def _with_failover(self, first: Named, config: BackendConfig) -> Engine:
        others = [
            Named(first.role, name, config.settings_of(first.role, name))
            for name in getattr(config.failover, first.role, ())
            if name != first.name
        ]
        chain = (first, *others)
        engines = [await self._get(*one) for one in chain]
        if first.role not in FAILOVER_ROLES or not (others or engines[0].remote):
            return engines[0]
        key = tuple(one.key for one in chain)
        if key not in self._candidates:
            self._candidates[key] = Candidates(engines)
        return failover_engine(first.role, self._candidates[key], config.failover)

    async def _get(self, role: str, name: str, settings: Mapping[str, Any]) -> Engine:
        key = Named(role, name, settings).key
        async with self._opening.setdefault(key, asyncio.Lock()):
            if key not in self._engines:
                started = time.monotonic()
                registry: Any = PROVIDERS if role == "provider" else ENGINES[role]
                engine: Engine = registry.create(name, settings)
                try:
                    await engine.open()
                except BaseException:
                    await _closed(engine)
                    raise
                self._engines[key] = engine
                took = round(time.monotonic() - started, 3)
                logger.info("engine opened", extra={"role": role, "engine": name, "seconds": took})
            return self._engines[key]


async def _closed(engine: Engine) -> None:
    """Close one, however that ends: the others are closed too."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await engine.aclose()
    except Exception:
        logger.exception("engine did not close", extra={"engine": engine.name})

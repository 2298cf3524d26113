"""Provider ``cartesia``: its ears and voice with an agent of ours, or one of its managed agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.cartesia.config import (
    CartesiaAgentConfig,
    CartesiaConfig,
    CartesiaProviderConfig,
    CartesiaSttConfig,
    CartesiaTtsConfig,
)
from providers.cartesia.vendor import NAME, CartesiaEngine
from providers.local.provider import DEFAULT_ENGINES
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport

_CONFIGS: Mapping[str, type[CartesiaConfig]] = {
    "stt": CartesiaSttConfig,
    "tts": CartesiaTtsConfig,
    "s2s": CartesiaAgentConfig,
}


class CartesiaProvider(CartesiaEngine[CartesiaProviderConfig], VoiceProvider):
    """Callers reach the gateway directly. Ears and voice are the vendor's; provider ``local`` mixes several."""

    Config = CartesiaProviderConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset(PipelineType),
        own_pipeline=True,
    )

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the vendor's engines with its settings, and local ones for listening."""
        roles = ("s2s",) if config.pipeline_type is PipelineType.S2S else ("stt", "tts")
        ours = {role: (NAME, self._settings_of(_CONFIGS[role])) for role in roles}
        listening: dict[str, tuple[str, Mapping[str, Any]]] = {
            role: (name, {}) for role, name in DEFAULT_ENGINES.items()
        }
        return {**listening, **super().engines(config), **ours}

    def _settings_of(self, kind: type[CartesiaConfig]) -> dict[str, Any]:
        return {name: value for name, value in self.settings.plain().items() if name in kind.model_fields}

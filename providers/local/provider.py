"""Provider ``local``: callers reach the gateway directly, and engines on this machine hear and speak."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from providers.local.config import LocalConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport

DEFAULT_ENGINES: Mapping[str, str] = MappingProxyType({"vad": "silero", "turn": "dangling", "noise": "webrtc"})
"""The engines that a config need not name."""


class LocalProvider(VoiceProvider):
    """Builds the pipeline from the engines that the config names."""

    name = "local"
    Config = LocalConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}), pipelines=frozenset(PipelineType)
    )

    def __init__(self, config: LocalConfig | None = None) -> None:
        self.settings = config or LocalConfig()
        super().__init__(self.settings)

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the config's engines, and ours where it names none for listening."""
        named = {role: name for role, (name, _) in super().engines(config).items()}
        return {role: (name, getattr(self.settings, role)) for role, name in {**DEFAULT_ENGINES, **named}.items()}

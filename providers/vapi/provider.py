"""Provider ``vapi``: an assistant that Vapi hosts holds the conversation; callers reach the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.vapi.config import VapiConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport


class VapiProvider(VoiceProvider):
    """Names the engine of the same name; our pipeline gives it barge-in, hooks and processors."""

    name = "vapi"
    Config = VapiConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset(PipelineType),
        own_pipeline=True,
        uses_agent=False,
        text_injection=True,
    )

    def __init__(self, config: VapiConfig) -> None:
        super().__init__(config)
        self.settings = config

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the engine, with the provider's settings."""
        del config
        return {"s2s": ("vapi", self.settings.plain())}

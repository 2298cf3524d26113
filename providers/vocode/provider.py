"""Provider ``vocode``: callers reach the gateway, and talk to the agent of a Vocode server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.vocode.config import VocodeConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport


class VocodeProvider(VoiceProvider):
    """A remote conversation, with our processors, interruption and history around it."""

    name = "vocode"
    Config = VocodeConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset(PipelineType),
        own_pipeline=True,
        uses_agent=False,
    )

    def __init__(self, config: VocodeConfig) -> None:
        super().__init__(config)
        self.settings = config

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the engine that speaks to the server, with the settings of this provider."""
        del config
        return {"s2s": ("vocode", self.settings.plain())}

"""Provider ``pipecat``: a Pipecat server holds the conversation, with its own ears, agent and voice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.pipecat.config import PipecatConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport


class PipecatProvider(VoiceProvider):
    """Names the engine of the same name, with its own settings."""

    name = "pipecat"
    Config = PipecatConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset(PipelineType),
        own_pipeline=True,
        uses_agent=False,
        dtmf=True,
        text_injection=True,
    )

    def __init__(self, config: PipecatConfig) -> None:
        super().__init__(config)
        self.settings = config

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the conversation's engine."""
        del config
        return {"s2s": ("pipecat", self.settings.plain())}

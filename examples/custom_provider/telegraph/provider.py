"""Provider ``telegraph``: calls in Morse code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from telegraph.config import MorseConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport


class Telegraph(VoiceProvider):
    """Brings engines that key and read; an agent of the application's answers."""

    name = "telegraph"
    Config = MorseConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET}), pipelines=frozenset({PipelineType.STT_TTS}), own_pipeline=True
    )

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name its own for each role, whatever the config names."""
        del config
        told = self.config.model_dump(mode="json")
        return {
            "stt": ("morse", told),
            "tts": ("morse", told),
            "vad": ("morse", told),
            "turn": ("silence", {}),
            "noise": ("none", {}),
        }

"""Provider ``mock``: a whole conversation by script, without models, keys or network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from providers.mock.config import MockConfig
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, VoiceProvider
from voicebackend.session import Transport

_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "stt": {"transcripts": "transcripts", "decode": "decode", "partials": "partials", "delay": "stt_delay"},
    "tts": {
        "delay": "tts_delay",
        "sample_rate": "tts_sample_rate",
        "seconds_per_character": "seconds_per_character",
        "varies": "varies",
        "audio": "audio",
    },
    "s2s": {
        "transcripts": "transcripts",
        "partials": "partials",
        "replies": "replies",
        "delay": "s2s_delay",
        "sample_rate": "tts_sample_rate",
        "seconds_per_character": "seconds_per_character",
        "audio": "audio",
    },
    "vad": {},
    "turn": {},
    "noise": {},
}
"""For each role, the engine's setting by ours."""


class MockProvider(VoiceProvider):
    """Deterministic and scripted; see the README beside this file."""

    name = "mock"
    Config = MockConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        transports=frozenset({Transport.WEBSOCKET, Transport.TELEPHONY}),
        pipelines=frozenset(PipelineType),
        own_pipeline=True,
    )

    def __init__(self, config: MockConfig | None = None) -> None:
        super().__init__(config)
        self._plain = self.config.model_dump(mode="json", exclude_none=True)

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the mock engine for every role, whatever the config names, with the script as its settings."""
        del config
        return {role: ("mock", self._settings(role)) for role in _SETTINGS}

    def _settings(self, role: str) -> dict[str, Any]:
        settings = {theirs: self._plain[ours] for theirs, ours in _SETTINGS[role].items()}
        fault = self._plain["errors"].get(role)
        return {**settings, "fault": fault} if fault else settings

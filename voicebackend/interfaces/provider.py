"""Who brings a session's transport, its pipeline, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces.engine import Engine
from voicebackend.interfaces.pipeline import Pipeline
from voicebackend.interfaces.room import CallerRoom, Place
from voicebackend.interfaces.transport import TransportLink
from voicebackend.session import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do; what it tells is tested."""

    transports: frozenset[Transport]
    pipelines: frozenset[PipelineType]
    own_pipeline: bool = False
    """It runs the conversation itself: no engines need be named."""
    uses_agent: bool = True
    """Our agent answers; False where the remote side runs its own."""
    dtmf: bool = False
    text_injection: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the API."""
        return {
            "transports": sorted(self.transports),
            "pipelines": sorted(self.pipelines),
            "own_pipeline": self.own_pipeline,
            "uses_agent": self.uses_agent,
            "dtmf": self.dtmf,
            "text_injection": self.text_injection,
        }


class VoiceProvider(Engine):
    """Brings a session's transport, its pipeline, or both."""

    capabilities: ClassVar[Capabilities]

    def engines(self, config: BackendConfig) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Name the engine for each role (``stt``, ``tts``, ``s2s``, ``vad``, ``turn``, ``noise``) and its settings.

        The default takes what the config names; a provider that brings its own overrides this.
        """
        named = {
            "stt": config.stt_provider,
            "tts": config.tts_provider,
            "s2s": config.s2s_provider,
            "vad": config.vad_provider,
            "turn": config.turn_detection_provider,
            "noise": config.noise_cancellation_provider,
        }
        return {role: (name, {}) for role, name in named.items() if name}

    def room(self, place: Place) -> CallerRoom | None:
        """Return where a session meets its caller, not open; None where callers come by the gateway's websocket."""
        del place
        return None

    def pipeline(self, link: TransportLink) -> Pipeline | None:
        """Return a conversation that the provider runs itself, not open; None for one of ours, made of its engines."""
        del link
        return None

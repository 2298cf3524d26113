"""Settings of provider ``local``: those of its engines, by role."""

from __future__ import annotations

from pydantic import Field, JsonValue

from voicebackend.interfaces import EngineConfig

Settings = dict[str, JsonValue]
"""An engine's settings; it rejects keys it does not know."""


class LocalConfig(EngineConfig):
    """What each engine is to be told; which engine it is, the backend's config says."""

    stt: Settings = Field(default_factory=dict)
    tts: Settings = Field(default_factory=dict)
    s2s: Settings = Field(default_factory=dict)
    vad: Settings = Field(default_factory=dict)
    turn: Settings = Field(default_factory=dict)
    noise: Settings = Field(default_factory=dict)

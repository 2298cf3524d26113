"""Settings of ElevenLabs' engines. Names of models, voices and agents are the account's: none is assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from providers.remote.config import RemoteConfig
from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""Of a model, voice, agent or language."""
Share = Annotated[float, Field(ge=0, le=1)]
SpeechRate = Literal[8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
"""Hz that the voice can be asked for."""


class ElevenLabsConfig(RemoteConfig):
    """How the vendor is reached."""

    api_key: SecretStr | None = None
    """The account's; or ELEVENLABS_API_KEY in the environment."""
    api_url: str = "https://api.elevenlabs.io"
    """Another where the account's data must stay in one region."""


class ElevenLabsTtsConfig(ElevenLabsConfig):
    """What a voice is told."""

    model_id: Name
    """The model that speaks."""
    voice_id: Name
    sample_rate: SpeechRate = 24_000
    """Hz of its audio; the account's plan may not have 44100 and above."""
    language: Name | None = None
    """ISO 639-1; by the text if not given."""
    word_times: bool = True
    """Ask when each word sounds, so that what a caller heard is known to the word."""
    stability: Share | None = None
    """As the voice was saved if not given; so with the three that follow."""
    similarity_boost: Share | None = None
    style: Share | None = None
    speed: Annotated[float, Field(ge=0.5, le=2)] | None = None


class ElevenLabsAgentConfig(ElevenLabsConfig):
    """What a conversation with an agent is told. The agent must allow what is overridden, or it refuses the call."""

    agent_id: Name
    public: bool = False
    """The agent lets anybody in: no key is needed, and no signed URL asked for."""
    prompt: Annotated[str, Field(max_length=100_000)] | None = None
    """Overrides the agent's; so with the three that follow."""
    first_message: Annotated[str, Field(max_length=2_000)] | None = None
    """Empty: the caller speaks first."""
    language: Name | None = None
    voice_id: Name | None = None
    dynamic_variables: Mapping[str, str | bool | int | float] = Field(default={})
    """Values for the placeholders in the agent's instructions; a session's metadata may add to them by this key."""
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = PIPELINE_RATE
    """Hz of its audio here; what the agent speaks at otherwise is converted."""
    vad: Name = "energy"
    """The engine that tells when the caller begins to speak, for the vendor does not; best `silero`, if installed."""

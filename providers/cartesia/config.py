"""Settings of Cartesia's engines and provider; names of models, voices and agents are the account's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from providers.remote.config import RemoteConfig
from voicebackend.durations import Duration, seconds

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""Of a model, voice, agent or language."""
SpeechRate = Literal[8_000, 16_000, 22_050, 24_000, 44_100, 48_000]
AgentRate = Literal[16_000, 24_000, 44_100]
Variables = dict[str, str | bool | float]


class CartesiaConfig(RemoteConfig):
    """How the vendor is reached."""

    api_key: SecretStr | None = None
    """The account's; or CARTESIA_API_KEY in the environment."""
    api_url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.cartesia.ai"
    api_version: Name = "2026-08-14"
    """The version of the API that this package speaks."""


class CartesiaSttConfig(CartesiaConfig):
    """What an ear is told."""

    stt_model_id: Name
    """The model that recognises."""
    stt_language: Name | None = None
    """ISO 639-1; the vendor's default if not given."""
    keyterms: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    """Words and phrases that are likely to be said."""


class CartesiaTtsConfig(CartesiaConfig):
    """What a voice is told."""

    model_id: Name
    """The model that speaks."""
    voice_id: Name
    sample_rate: SpeechRate = 24_000
    """Hz of its audio."""
    language: Name | None = None
    """ISO 639-1; the vendor's default if not given."""
    word_times: bool = True
    """Ask when each word sounds, so that what a caller heard is known to the word."""
    keep_open: Annotated[Duration, seconds(0, 300)] = timedelta(minutes=4)
    """Seconds for which a connection on which nobody speaks is kept for the next who does: connecting takes time."""


class CartesiaAgentConfig(CartesiaConfig):
    """What a conversation with a managed agent is told."""

    agent_id: Name
    sample_rate: AgentRate = 24_000
    """Hz of audio both ways."""
    dynamic_variables: Variables = Field(default_factory=dict)
    """Values for the placeholders in the agent's instructions."""
    history_variable: Name | None = None
    """The placeholder for what was said before, where a call goes on from another connection; empty at first."""


class CartesiaProviderConfig(CartesiaConfig):
    """All of these; each is needed only where an engine of its kind is used."""

    stt_model_id: Name | None = None
    stt_language: Name | None = None
    keyterms: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    model_id: Name | None = None
    voice_id: Name | None = None
    sample_rate: SpeechRate = 24_000
    language: Name | None = None
    word_times: bool = True
    keep_open: Annotated[Duration, seconds(0, 300)] = timedelta(minutes=4)
    agent_id: Name | None = None
    dynamic_variables: Variables = Field(default_factory=dict)
    history_variable: Name | None = None

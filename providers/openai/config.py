"""Settings of the OpenAI engines. Models have no defaults: the vendor retires them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from providers.remote.config import RemoteConfig
from voicebackend.audio import MAX_RATE, MIN_RATE
from voicebackend.durations import Duration, seconds

Model = Annotated[str, Field(min_length=1, max_length=200)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""ISO 639, as in ``en``."""
Prompt = Annotated[str, Field(max_length=32_000)]


class OpenAiConfig(RemoteConfig):
    """Where the API is, and who asks."""

    api_key: SecretStr | None = None
    """From ``OPENAI_API_KEY`` if not given."""
    api_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] = "https://api.openai.com/v1"
    """Of OpenAI, or of another server that speaks its protocol."""


class OpenAiSttConfig(OpenAiConfig):
    """An ear that asks for each utterance."""

    model: Model
    """Of ``/audio/transcriptions``."""
    language: Language | None = None
    prompt: Prompt | None = None
    """Words that are likely, or what was said before."""
    partials: bool = True
    """Have the text streamed, and report it as it comes."""


class OpenAiTtsConfig(OpenAiConfig):
    """A voice."""

    model: Model
    """Of ``/audio/speech``."""
    voice: Model
    """Its name, as in ``marin``."""
    instructions: Prompt | None = None
    """How to speak."""
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = None
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = 24_000
    """Hz of the PCM that the server makes; OpenAI's is 24,000."""


class OpenAiS2sConfig(OpenAiConfig):
    """A conversation over the Realtime API."""

    model: Model
    """Of ``/realtime``."""
    voice: Model | None = None
    """Its name; the vendor's default if not given."""
    instructions: Prompt | None = None
    """What the model is and does; a session's metadata may say ``instructions``, ``voice`` and ``language`` instead."""
    transcription_model: Model | None = None
    """What writes down the caller's words; without it nobody learns them, and no agent of ours can answer."""
    language: Language | None = None
    """Of the caller, for that."""
    speech_model: Model | None = None
    """Of ``/audio/speech``: speaks the texts that the conversation is given, with the same voice; without it there is
    no greeting, no prompt, and no agent of ours, because the model itself would reword them."""
    turn_detection: Literal["server_vad", "semantic_vad"] = "server_vad"
    """Whether silence tells that the caller has finished, or the meaning of what was said."""
    vad_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of ``server_vad``: how loud speech must be; 0.5 if not given, as the vendor has it."""
    silence: Annotated[Duration, seconds(0.1, 6)] | None = None
    """Of ``server_vad``: after which the caller has finished; 0.5 s if not given, as the vendor has it."""
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    """Of ``semantic_vad``."""
    noise_reduction: Literal["near_field", "far_field"] | None = None

    @field_validator("speech_model")
    @classmethod
    def _with_a_voice(cls, model: str | None, info: ValidationInfo) -> str | None:
        if model is not None and info.data.get("voice") is None:
            raise ValueError("it needs a voice: name the one that shall speak")
        return model

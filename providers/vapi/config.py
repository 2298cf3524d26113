"""Settings of provider and engine ``vapi``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, model_validator

from providers.remote.config import RemoteConfig
from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig


class VapiConfig(RemoteConfig):
    """Which assistant takes the calls, and how it is reached."""

    api_key: SecretStr | None = None
    """The private key; else ``VAPI_API_KEY`` in the environment."""
    api_url: str = "https://api.vapi.ai"
    assistant_id: str = ""
    """An assistant of the account; this, or ``assistant``."""
    assistant: dict[str, Any] | None = Field(default=None, repr=False)
    """One described here, as Vapi's API has it; it may carry keys."""
    assistant_overrides: dict[str, Any] = Field(default={}, repr=False)
    """What is different about the assistant in our calls, as Vapi's API has it."""
    phone_number_id: str = ""
    """Accepted, and not used yet: callers reach the gateway, not a number of Vapi's."""
    max_call_duration: Annotated[Duration, seconds(10, 43_200)] = timedelta(minutes=30)
    """Seconds after which Vapi ends a call by itself."""
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = PIPELINE_RATE
    """Hz of the call's audio, both ways; some assistants want 24000."""

    @model_validator(mode="after")
    def _one_assistant(self) -> Self:
        if bool(self.assistant_id) == (self.assistant is not None):
            message = "assistant_id: set it, or assistant, and not both"
            raise InvalidConfig("vapi", message, details={"field": "assistant_id"})
        return self

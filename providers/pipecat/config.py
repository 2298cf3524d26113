"""Settings of provider and engine ``pipecat``."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, model_validator

from providers.remote.config import RemoteConfig
from voicebackend.audio import MAX_RATE, MIN_RATE
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig


class PipecatConfig(RemoteConfig):
    """Where the Pipecat server is, and how it is started."""

    pipecat_server_url: Annotated[str, Field(pattern=r"^wss?://\S+$")] | None = None
    """The websocket of the server's pipeline, whatever its path; not needed where ``start_url`` names it."""
    start_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Asked by POST before each session for the websocket's address and a token for it."""
    api_key: SecretStr | None = None
    """Sent as bearer to ``start_url``, or to the server where there is none; else ``PIPECAT_API_KEY``, if it is set."""
    rtvi_timeout: Annotated[Duration, seconds(0.05, 30)] = timedelta(seconds=5)
    """Seconds within which a server that speaks RTVI says so; then ``vad`` listens for the caller's speech here."""
    vad: str = "energy"
    """The detector that does."""
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = 24_000
    """Hz in which answers are played; best is what the server sends, which is resampled otherwise."""
    daily_api_key: SecretStr | None = None
    """Stands in for ``api_key`` at ``start_url``: Pipecat Cloud and Daily share one account."""
    daily_api_url: str = "https://api.daily.co/v1"
    """Told to ``start_url``, with the two below, for a server that opens a room beside; we speak by websocket only."""
    room_name_prefix: str = "beluga-"
    room_expiration: Annotated[Duration, seconds(60, 7 * 86_400)] = timedelta(hours=24)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.pipecat_server_url is None and self.start_url is None:
            raise InvalidConfig(
                "pipecat",
                "pipecat_server_url: set it to the server's websocket, or set start_url",
                details={"field": "pipecat_server_url"},
            )
        return self

    @property
    def bearer(self) -> str | None:
        """The key that requests carry, if any."""
        for given in (self.api_key, self.daily_api_key if self.start_url else None):
            if given is not None:
                return given.get_secret_value()
        return os.environ.get("PIPECAT_API_KEY") or None

    def start_body(self, metadata: Any) -> dict[str, Any]:
        """Return what ``start_url`` is asked with; ``metadata`` is the session's."""
        body: dict[str, Any] = {"metadata": dict(metadata)}
        if self.daily_api_key is not None:
            body["daily"] = {
                "api_url": self.daily_api_url,
                "room_name_prefix": self.room_name_prefix,
                "room_expiration_s": self.room_expiration.total_seconds(),
            }
        return {"transport": "websocket", "body": body}

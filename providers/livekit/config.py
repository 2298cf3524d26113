"""Settings of provider ``livekit``: its server and rooms, and those of the engines, by role."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from providers.local.config import LocalConfig
from providers.remote.config import RemoteConfig, key_of
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig
from voicebackend.rooms import ROOM_NAME, SESSION

URL, API_KEY, API_SECRET = "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"
_OP = "provider livekit"
_SCHEMES = ("ws://", "wss://", "http://", "https://")


class LiveKitConfig(LocalConfig, RemoteConfig):
    """Where the server is, what it lets us do, and what each engine is to be told."""

    url: Annotated[str, Field(max_length=2048)] | None = None
    """The server, as callers reach it too: ``wss://…``; otherwise ``LIVEKIT_URL``."""
    api_key: SecretStr | None = None
    """Otherwise ``LIVEKIT_API_KEY``."""
    api_secret: SecretStr | None = None
    """Otherwise ``LIVEKIT_API_SECRET``."""
    room_name: Annotated[str, Field(max_length=128)] = ROOM_NAME
    """With ``{session_id}`` in it, for a room has one session."""
    join_within: Annotated[Duration, seconds(10, 86_400)] = timedelta(minutes=10)
    """How long a caller may take to join; who has joined stays."""

    @field_validator("room_name")
    @classmethod
    def _of_one_session(cls, value: str) -> str:
        if value.count(SESSION) != 1:
            raise PydanticCustomError("room_name", f"has {SESSION} in it, once")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A LiveKit server and the key to it."""

    url: str
    key: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, config: LiveKitConfig) -> Self:
        """Return what the settings say, or else the environment.

        Raises:
            InvalidConfig: something is in neither.

        """
        url = config.url or os.environ.get(URL, "")
        if not url.startswith(_SCHEMES):
            message = f"url: set it, or {URL} in the environment, to where the server is: wss://…"
            raise InvalidConfig(_OP, message, details={"field": "url"})
        key = key_of(config.api_key, API_KEY, field="api_key", op=_OP)
        secret = key_of(config.api_secret, API_SECRET, field="api_secret", op=_OP)
        return cls(url=url.rstrip("/"), key=key, secret=secret)

    @property
    def http_url(self) -> str:
        """Where its server API is."""
        return "http" + self.url.removeprefix("ws") if self.url.startswith("ws") else self.url

    @property
    def ws_url(self) -> str:
        """Where participants join."""
        return "ws" + self.url.removeprefix("http") if self.url.startswith("http") else self.url

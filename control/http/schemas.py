"""The API's bodies beyond those that users also know from ``voicebackend.session``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from voicebackend.errors import ErrorCode
from voicebackend.session import Health, Name, SessionView


class SessionPage(BaseModel):
    """Some of the tenant's sessions, newest first."""

    sessions: list[SessionView]
    cursor: str | None = None
    """For the next page; absent on the last."""


class SessionUpdate(BaseModel):
    """The body of ``PATCH /v1/sessions/{id}``; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, JsonValue] | None = None
    """Replaces the metadata; at most 16 KiB as JSON."""
    agent: Name | None = None
    """Answers from the next turn on."""


class TokenIssued(BaseModel):
    """A fresh token for a caller's socket."""

    token: str
    """Single use."""
    token_expires_in: float
    """Seconds."""
    connect_url: str


class AudioAccepted(BaseModel):
    """Audio that is on its way to the caller."""

    seconds: float


class ProviderView(BaseModel):
    """A provider that at least one worker announces."""

    name: str
    capabilities: dict[str, Any]
    config_schema: dict[str, Any]
    workers: int
    """Workers that have it and take new sessions."""
    slots_free: int | None
    """Sessions they can still take; null is unlimited."""


class ProviderList(BaseModel):
    """Every provider."""

    providers: list[ProviderView]


class ConfigView(BaseModel):
    """The configuration that holds now; secrets are masked."""

    version: int
    """Grows with every change; 0 is what the process started with."""
    config: dict[str, Any]


class Liveness(BaseModel):
    """The process answers."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether sessions can be had."""

    status: Health
    redis: bool
    workers: int
    slots_total: int | None
    """Sessions that all workers together can hold; null is unlimited."""
    slots_free: int | None
    sockets: int
    """Callers connected to this process."""


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: ErrorCode
    op: str
    details: dict[str, Any]

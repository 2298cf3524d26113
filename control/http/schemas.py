"""The API's bodies beyond those that users also know from ``voicebackend.session``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from control.telephony.handover import SORRY
from voicebackend.calls import E164
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


class TypedText(BaseModel):
    """The body of ``POST /v1/sessions/{id}/text``."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)] = Field(repr=False)


class Transfer(BaseModel):
    """The body of ``POST /v1/sessions/{id}/transfer``."""

    model_config = ConfigDict(extra="forbid")

    to: E164
    """One of the numbers of the trunk's ``transfer_to``."""
    sorry: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)] = SORRY
    """What the caller is told if nobody takes the call."""


class Transferred(BaseModel):
    """A call that is on its way to somebody else."""

    to: str


class Words(BaseModel):
    """The body of ``POST /v1/sessions/{id}/say``."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)] = Field(repr=False)
    then_end: bool = False
    """Cannot be interrupted, and the session ends once it was heard."""


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


class OfferView(BaseModel):
    """Something that at least one worker could run."""

    name: str
    installed: bool
    """Whether a worker has what it needs."""
    install: str | None
    """The command that installs what is missing."""
    capabilities: dict[str, Any]
    config_schema: dict[str, Any]
    """JSON schema of its settings; those with ``writeOnly`` are secrets."""
    health: Health
    """As workers find that use it; unknown if none does."""
    workers: int
    """Workers that have it and take new sessions."""


class ProviderView(OfferView):
    """A provider."""

    slots_free: int | None
    """Sessions that those workers can still take; null is unlimited."""


class EngineView(OfferView):
    """An engine."""

    role: str
    """``stt``, ``tts``, ``s2s``, ``vad``, ``turn`` or ``noise``."""


class ProviderList(BaseModel):
    """Every provider, and every engine that providers can be told to use."""

    providers: list[ProviderView]
    engines: list[EngineView]


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
    telephony: Literal["current", "stale"] | None = None
    """``stale`` while a changed telephony file is bad and the one before holds; null where no calls are taken."""
    sip: Literal["answers", "silent"] | None = None
    """Whether this process answers itself by SIP; null where it takes no calls by it."""


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

"""Where webhooks go, and what became of them, as the API shows it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from voicebackend.webhooks import EventType

MAX_ENDPOINTS = 16
"""Endpoints of a tenant."""


class EndpointRequest(BaseModel):
    """The body of ``POST /v1/webhooks``."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2048)]
    """Where to; ``https://``."""
    events: Annotated[list[EventType], Field(max_length=len(EventType))] = []
    """What it is told of; everything if empty."""


class EndpointView(BaseModel):
    """One endpoint."""

    id: str
    url: str
    events: list[str]
    created_at: float
    """Seconds since the epoch."""
    declared: bool = False
    """By the deployment's file, which alone changes it."""


class EndpointIssued(EndpointView):
    """An endpoint with a new secret, which is shown this once."""

    secret: str = Field(repr=False)


class EndpointList(BaseModel):
    """A tenant's endpoints, oldest first."""

    webhooks: list[EndpointView]


class UndeliveredView(BaseModel):
    """An event that an endpoint did not take within a day."""

    id: str
    """By which it is sent again."""
    webhook: str
    event: str
    """The event's id."""
    type: str
    session_id: str
    attempts: int
    status: int | None
    """Of the last answer; null where there was none."""
    error: str
    """What was wrong the last time."""
    created_at: float
    """Seconds since the epoch."""


class UndeliveredList(BaseModel):
    """Deliveries that were given up, latest first, at most 100."""

    deliveries: list[UndeliveredView]

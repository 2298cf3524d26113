"""API keys as the API shows them: what a key may do, what is asked for one, and how it is shown, its secret once. Pure.

A key is ``vk_live_<id>_<secret>``. The id names it everywhere; the secret is only in the answer that creates it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

PREFIX = "vk_live_"
"""What every stored key starts with, so that scanners for leaked secrets find it."""
ALL = "*"
"""The scope that holds every other."""
GRACE_S = 24 * 3600
"""Seconds that the key before goes on opening after a rotation, unless something else is asked for."""
MAX_GRACE_S = 30 * 24 * 3600
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")

Scope = Literal[
    "*",
    "sessions:read",
    "sessions:write",
    "calls:read",
    "calls:write",
    "records:read",
    "records:write",
    "retention:read",
    "retention:write",
    "webhooks:read",
    "webhooks:write",
    "config:read",
    "config:write",
    "operations:read",
    "operations:write",
    "keys:read",
    "keys:write",
]
"""What a key may do; ``write`` of an area holds its ``read``."""
SCOPES: tuple[Scope, ...] = get_args(Scope)


def split(key: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key of this form, None for any other."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def holds(scopes: Iterable[str], wanted: str) -> bool:
    """Tell whether these scopes allow what is wanted."""
    area, _, deed = wanted.partition(":")
    enough = {ALL, wanted, f"{area}:write"} if deed == "read" else {ALL, wanted}
    return not enough.isdisjoint(scopes)


def _ordered(scopes: list[Scope]) -> list[Scope]:
    return [scope for scope in SCOPES if scope in scopes]


Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES)), AfterValidator(_ordered)]
KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TenantName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class KeyWanted(BaseModel):
    """The body of ``POST /v1/keys``."""

    model_config = ConfigDict(extra="forbid")

    name: KeyName
    """What the key is for; a tenant has one key of a name, and two while it is rotated."""
    scopes: Scopes = ["*"]
    tenant: TenantName | None = None
    """Another tenant than the asking key's; for operators."""


class Rotation(BaseModel):
    """The body of ``POST /v1/keys/{id}/rotate``."""

    model_config = ConfigDict(extra="forbid")

    grace: Annotated[int, Field(ge=0, le=MAX_GRACE_S)] = GRACE_S
    """Seconds that the key before goes on opening."""


class KeyView(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    tenant: str
    scopes: list[Scope]
    created_at: float
    """Seconds since the epoch."""
    expires_at: float | None = None
    """When a key that was rotated stops opening, seconds since the epoch."""


class KeyIssued(KeyView):
    """A new key."""

    key: str = Field(repr=False)
    """The whole key. It is shown this once."""


class KeyList(BaseModel):
    """A tenant's keys, oldest first."""

    keys: list[KeyView]

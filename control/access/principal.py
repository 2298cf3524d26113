"""Who asks: a tenant, a user of it, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voicebackend.api_keys import ALL

OPERATOR = "default"
"""The tenant that runs the deployment: only its keys may see and change what is everyone's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking."""

    tenant: str
    user_id: str
    scopes: frozenset[str] = frozenset({ALL})
    """Of its API key; everything where an AuthHook decides."""
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the AuthHook told of it."""

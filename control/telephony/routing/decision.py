"""A call as routing sees it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is known of a call when it comes."""

    id: str
    """The carrier's: the same for every try at the same call."""
    called: str
    """As the carrier told it."""
    caller: str = ""
    tenant: str = "default"
    trunk: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A target to ask, and how long."""

    target: str
    provider: str
    agent: str
    tier: int
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where a call goes. Without ``choices`` it is refused with the SIP status ``code``."""

    version: str
    """Of the table that decided."""
    route: str = ""
    choices: tuple[Choice, ...] = ()
    """Targets to ask, one after the other; those that are known to be dead are left out."""
    code: int = 0
    reason: str = ""
    """Of a refusal: ``emergency``, ``denied``, ``no_route``, ``no_target``."""
    retention: str = ""
    steps: tuple[str, ...] = field(default=(), compare=False)
    """How it came to that, a line each; only where it was asked for."""

    @property
    def is_refused(self) -> bool:
        """Whether nobody is to be asked."""
        return not self.choices

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the API."""
        return asdict(self)

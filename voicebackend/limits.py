"""How much of a deployment one tenant may have, and how many sessions may wait for a slot."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Self

from voicebackend.errors import InvalidConfig

MAX_QUEUED = 1000
"""Sessions that may wait for one provider, unless the deployment says otherwise."""
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)/([sm])(?::([0-9]{1,9}))?")
_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    per_s: float = 0.0
    """0 is any number."""
    burst: int = 1

    @property
    def interval_ms(self) -> float:
        """Return the milliseconds that each one costs, 0 where they cost nothing."""
        return 1000 / self.per_s if self.per_s else 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``10/s``, ``30/m`` or, with a burst, ``10/s:40``; empty is any number. Raises ValueError otherwise."""
        if not text:
            return cls()
        found = _RATE.fullmatch(text)
        if not found or not float(found[1]):
            raise ValueError(text)
        per_s = float(found[1]) / _SECONDS[found[2]]
        return cls(per_s=per_s, burst=max(1, int(found[3]) if found[3] else math.ceil(per_s)))

    def __str__(self) -> str:
        if not self.per_s:
            return ""
        each, unit = (self.per_s, "s") if self.per_s >= 1 else (self.per_s * 60, "m")
        return f"{_plain(each)}/{unit}:{self.burst}"


def _plain(number: float) -> str:
    """Return a number as :meth:`Rate.parse` reads it: without an exponent."""
    return f"{number:.9f}".rstrip("0").rstrip(".")


REQUEST_RATE = Rate(per_s=200, burst=2000)
"""More than any application needs of one route, and less than would keep others from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What admission allows."""

    tenant_sessions: int = 0
    """Sessions of one tenant that are not over, waiting ones included; 0 is any number."""
    tenant_rate: Rate = field(default_factory=Rate)
    """Creations of one tenant."""
    max_queued: int = MAX_QUEUED
    """Sessions that may wait for one provider."""
    tenant_minutes: int = 0
    """Minutes of one tenant's sessions that ended on a day, UTC, after which it gets no more; 0 is any number."""
    request_rate: Rate = REQUEST_RATE
    """Requests of one tenant, on one route, from one address."""

    @classmethod
    def parse(
        cls,
        *,
        tenant_sessions: str,
        tenant_rate: str,
        max_queued: str,
        tenant_minutes: str = "0",
        request_rate: str = str(REQUEST_RATE),
    ) -> Self:
        """Read the deployment's variables; raises InvalidConfig that names the one that is wrong."""
        return cls(
            tenant_sessions=_number("VOICEBACKEND_TENANT_SESSIONS", tenant_sessions),
            tenant_rate=_rate("VOICEBACKEND_TENANT_RATE", tenant_rate),
            max_queued=_number("VOICEBACKEND_MAX_QUEUED", max_queued),
            tenant_minutes=_number("VOICEBACKEND_TENANT_MINUTES", tenant_minutes),
            request_rate=_rate("VOICEBACKEND_REQUEST_RATE", request_rate),
        )


def _rate(variable: str, text: str) -> Rate:
    try:
        return Rate.parse(text)
    except ValueError as error:
        raise _invalid(variable, "like 10/s, 30/m or 10/s:40") from error


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 - more is a slip
        raise _invalid(variable, "a whole number from 0")
    return int(text)


def _invalid(variable: str, message: str) -> InvalidConfig:
    return InvalidConfig("deployment", f"{variable}: {message}", details={"field": variable})

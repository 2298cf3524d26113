"""What a deployment says of the calls that a trunk makes, and of trunks that only pretend to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field

from control.telephony.routing.table import Name, Prefix
from voicebackend.calls import E164
from voicebackend.durations import Duration, seconds

ANY = "*"
"""Stands for every number that has no entry of its own."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outbound(_Part):
    """The calls that a trunk makes."""

    caller_ids: Annotated[tuple[E164, ...], Field(min_length=1, max_length=1000)]
    """Numbers that may be shown; the first is, where a call names none."""
    allow: Annotated[tuple[Prefix, ...], Field(max_length=1000)] = ()
    """Where calls may go, ``+49*``; by default to the countries of the caller ids: who steals a key calls no island."""
    cps: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Calls a second, evenly spaced."""
    concurrent: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Calls at once, from the first ring to the end."""
    max_duration: Annotated[Duration, seconds(10, 86_400)] = timedelta(hours=4)
    """How long a conversation may last before it is hung up."""
    consent: Literal["optional", "required"] = "optional"
    """Whether a call without a consent record is refused."""
    use: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    """A class of yours, ``module:Class``, that dials in the place of the trunk's carrier; see ``OutboundCarrier``."""

    def reaches(self, number: str) -> bool:
        """Tell whether a number (E.164) may be called."""
        if not self.allow:
            return any(_country(number) == _country(mine) for mine in self.caller_ids)
        return any(number.startswith(to[:-1]) if to.endswith("*") else number == to for to in self.allow)


def _country(number: str) -> int | None:
    return phonenumbers.parse(number).country_code


class MockNumber(_Part):
    """What happens when the mock carrier calls a number."""

    outcomes: Annotated[
        tuple[Literal["answered", "machine", "busy", "no_answer", "failed", "refused", "rejected"], ...],
        Field(min_length=1, max_length=50),
    ] = ("answered",)
    """One an attempt; the last stays."""
    ring: Annotated[Duration, seconds(0, 120)] = timedelta(seconds=1)
    """How long it rings before it is answered, or engaged."""
    talk: Annotated[Duration, seconds(0, 3600)] = timedelta(seconds=5)
    """How long who answered stays."""


class MockTrunk(_Part):
    """A trunk that reaches nobody: calls have the outcomes that are written here."""

    carrier: Literal["mock"]
    tenant: Name = "default"
    outbound: Outbound
    numbers: dict[E164 | Literal["*"], MockNumber] = {}
    """By number, ``*`` for the others; by default every call is answered."""

    def key(self, name: str) -> str:
        """Return no secret: nobody else tells of its calls."""
        del name
        return ""

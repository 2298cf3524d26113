"""The API's bodies about telephone calls that come in: where they would go, what is known of them, how many came."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from control.telephony.health.states import TargetHealth
from control.telephony.routing.table import Name, Target
from voicebackend.breaker import BreakerState

Text = Annotated[str, Field(max_length=256)]


class ExplainCall(BaseModel):
    """A call that might come."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    called: Text
    """The number that would be dialled."""
    caller: Text = ""
    """Of who would call; empty if withheld."""
    tenant: Name = "default"
    trunk: Name | None = None
    headers: Annotated[dict[Text, Text], Field(max_length=64)] = {}
    call_id: Text = "explained"
    """Decides between targets that share calls."""
    at: AwareDatetime | None = None
    """When, with a time zone; now if not given."""


class TargetView(BaseModel):
    """A target of the routing table."""

    provider: str
    agent: str
    state: BreakerState
    since: float | None
    """Since when it is left out, or back, seconds since the epoch; null if it never was out."""
    why: str
    """Why it was left out: ``no_worker``, ``no_telephony``, ``check_failed``, or the code of what calls failed with."""
    takes_calls: bool

    @classmethod
    def of(cls, target: Target, health: TargetHealth, now: float) -> Self:
        """Return a target as it is now."""
        return cls(
            provider=target.provider,
            agent=target.agent,
            state=health.state,
            since=health.since or None,
            why=health.why,
            takes_calls=health.takes_calls(now),
        )


class Explained(BaseModel):
    """Where a call would go, and why."""

    version: str
    route: str
    choices: list[dict[str, Any]]
    """Targets to ask, one after the other: ``target``, ``provider``, ``agent``, ``tier``, ``timeout_s``."""
    code: int
    """SIP status of a refusal; 0 if somebody is asked."""
    reason: str
    retention: str
    steps: list[str]
    targets: dict[str, TargetView]
    """How the targets of its route are doing."""


class RoutesView(BaseModel):
    """The routing table that this process decides by."""

    version: str
    problem: str
    """Why the files as they are now are not in use; empty if they are."""
    versions: list[str]
    """Those that all control processes decide by; more than one while a change spreads."""
    routes: int
    trunks: list[str]
    targets: dict[str, TargetView]


class KnownCallView(BaseModel):
    """What signalling told of a call, and what became of it."""

    model_config = ConfigDict(extra="allow")

    call_id: str
    phone_number: str
    """That was dialled."""
    carrier: str
    trunk: str
    said: dict[str, Any]
    """What can be forged: ``caller``, ``headers``."""
    attestation: str | None = None
    """What the carrier found of the caller's number by STIR/SHAKEN, in its words."""
    outcome: str
    """``taken``, ``ended``, ``failed`` or ``refused``."""
    session: str | None = None
    route: str | None = None
    target: str | None = None
    table: str | None = None
    at: float
    """When that was decided, seconds since the epoch."""


class DayReport(BaseModel):
    """The calls of a day, UTC."""

    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    calls: int
    refused: int
    minutes: float
    setup_p95_ms: int | None
    """Within which 95 of 100 calls got their session, ms; null where there were none."""
    taken: list[dict[str, Any]]
    """By ``trunk``, ``route``, ``target``: how many were ``taken``, ``ended``, ``failed``, and their ``minutes``."""
    refusals: list[dict[str, Any]]
    """By ``trunk``, ``route``, ``code``, ``reason``: how many ``calls``."""


def is_day(text: str) -> bool:
    """Tell whether this is a day as reports name them."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").strftime("%Y-%m-%d") == text  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False

"""A telephone call that we make: what a user asks for, the states it goes through, and how it is shown."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from voicebackend.consent import Consent
from voicebackend.session import Name

E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A telephone number in international form: ``+`` and digits."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MAX_WINDOWS = 7
"""Windows of one call."""
MAX_RETRIES = 10
"""Retries after one kind of outcome."""


class CallState(StrEnum):
    """Where a call stands."""

    PLANNED = "planned"
    """It waits for its time."""
    DUE = "due"
    """Its time has come, and it waits for its trunk to have room."""
    DIALLING = "dialling"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    """Answered."""
    DONE = "done"
    """Over: somebody was spoken to."""
    FAILED = "failed"
    """Over: nobody was; ``reason`` says why."""
    CANCELLED = "cancelled"
    """Over, as wanted by someone, or because the number is not to be called."""


class AttemptEnd(StrEnum):
    """What became of one attempt."""

    COMPLETED = "completed"
    """Answered, and over."""
    MACHINE = "machine"
    """Answered by a machine, and hung up."""
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """The carrier took no calls then; tried again by itself."""
    LOST = "lost"
    """A process of ours ended before the carrier had the order; tried again by itself."""
    REJECTED = "rejected"
    """The carrier will not call this number, or not for us."""
    UNKNOWN = "unknown"
    """Nobody can tell: never tried again, the called party may have been spoken to."""


def _text(value: Any) -> Any:
    """Refuse a number, which would be seconds."""
    if isinstance(value, (int, float)):
        raise PydanticCustomError("no_clock", 'text such as "09:00"')
    return value


Clock = Annotated[time, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)


class CallWindow(_Part):
    """Hours in which the called party may be rung up; ``until`` at or before ``from`` ends on the following day."""

    zone: Annotated[str, Field(max_length=64)] | None = None
    """Of the IANA database; by default where the number is, and where that is not certain, all zones at once."""
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    )
    opens: Annotated[Clock, Field(alias="from")] = time(8)
    closes: Annotated[Clock, Field(alias="until")] = time(21)

    @model_validator(mode="after")
    def _whole_minutes(self) -> Self:
        if any(at.second or at.microsecond or at.tzinfo for at in (self.opens, self.closes)):
            message = "from and until are whole minutes, HH:MM"
            raise ValueError(message)
        return self


class Retry(_Part):
    """How often, and how long after an attempt, the next is made."""

    count: Annotated[int, Field(ge=0, le=MAX_RETRIES)]
    wait: Annotated[float, Field(ge=1, le=7 * 86_400)]
    """Seconds from the end of one attempt to the next, or longer: until a window opens."""


class Retries(_Part):
    """What is done after attempts that reached nobody."""

    busy: Retry = Retry(count=2, wait=300)
    no_answer: Retry = Retry(count=2, wait=3600)
    failed: Retry = Retry(count=1, wait=60)
    machine: Retry = Retry(count=0, wait=3600)
    """After a machine that was hung up on."""


class CallRequest(_Part):
    """The body of ``POST /v1/calls``."""

    to: Annotated[E164, Field(repr=False)]
    from_: Annotated[E164 | None, Field(alias="from")] = None
    """One of the trunk's caller ids; by default its first."""
    trunk: Name | None = None
    """By default the only one that has ``from``, or that there is."""
    agent: Name | None = None
    """The registered agent that speaks."""
    provider: Name | None = None
    """Overrides the backend's."""
    metadata: dict[str, JsonValue] = {}
    """Handed to the agent; at most 8 KiB as JSON."""
    at: AwareDatetime | None = None
    """When, with its offset from UTC, at most 90 days ahead; by default now."""
    windows: Annotated[tuple[CallWindow, ...], Field(min_length=1, max_length=MAX_WINDOWS)] = (CallWindow(),)
    """In one of which each attempt begins; by default 8 to 21 h where the number is."""
    retries: Retries = Retries()
    max_ring_s: Annotated[int, Field(ge=5, le=120)] = 30
    consent: Consent | None = None
    """Required where the trunk says so."""
    on_machine: Literal["continue", "hang_up", "leave_message"] = "continue"
    """What is done when a machine answers; ``continue`` does not ask whether one did."""
    message: Annotated[str | None, Field(min_length=1, max_length=1000, repr=False)] = None
    """What a machine is told, with ``leave_message``."""

    @model_validator(mode="after")
    def _message_fits(self) -> Self:
        if (self.message is not None) != (self.on_machine == "leave_message"):
            message = "message goes with on_machine leave_message, and only with it"
            raise ValueError(message)
        return self


class Attempt(BaseModel):
    """One time that the number was called. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)

    number: int
    """1 is the first."""
    at: float
    """When the carrier was about to be told."""
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: AttemptEnd | None = None
    """None while it lasts."""
    carrier_call_id: str = ""
    """Empty until the carrier has said it."""
    session: str = ""
    """The conversation's session; empty until somebody answered."""
    machine: bool | None = None
    """Whether a machine answered; None is not known."""
    code: str = ""
    """The carrier's own reason, or our error's code."""


class CallView(BaseModel):
    """A call as the API shows it. Times are seconds since the epoch."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    state: CallState
    to: Annotated[str, Field(repr=False)]
    from_: Annotated[str, Field(alias="from")]
    trunk: str
    agent: str | None = None
    provider: str | None = None
    metadata: dict[str, JsonValue] = {}
    created_at: float
    due_at: float | None = None
    """When the next attempt is to be made; None while one lasts, and when the call is over."""
    attempts: list[Attempt] = []
    ended_at: float | None = None
    reason: str | None = None
    """Why it is over: the last outcome, ``cancelled``, ``do_not_call``, ``no_window``, an error code."""


class CallPage(BaseModel):
    """Some of the tenant's calls, newest first."""

    calls: list[CallView]
    cursor: str | None = None
    """For the next page; absent on the last."""


class Listed(BaseModel):
    """A number on the tenant's do-not-call list."""

    number: Annotated[str, Field(repr=False)]
    since: float
    """Seconds since the epoch."""
    reason: str = ""


class ListedReason(_Part):
    """The body of ``PUT /v1/do-not-call/{number}``."""

    reason: Annotated[str, Field(max_length=256)] = ""

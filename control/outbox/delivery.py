"""One event on its way to one endpoint: how it stands, and when it is tried again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from voicebackend.errors import InvalidFormat
from voicebackend.webhook_endpoints import UndeliveredView
from voicebackend.webhooks import Event, EventType

PATIENCE_S = 24 * 3600.0
"""Seconds after which an event that was not taken is given up."""
FIRST_S, LONGEST_S = 1.0, 3600.0
"""Seconds to the second try, and between tries at most: they double from one to the other."""
_ID_CHARS = 32


class State(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class Outcome(StrEnum):
    """What a try comes to."""

    DELIVERED = "delivered"
    AGAIN = "again"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint said to a try."""

    status: int = 0
    """The HTTP status; 0 where there was no answer."""
    error: str = ""
    """What was wrong, in our words."""

    @property
    def is_good(self) -> bool:
        """Tell whether the endpoint took it."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint, as it lies in Redis."""

    id: str
    tenant: str
    endpoint: str
    event: str
    """The event's id."""
    type: str
    session: str
    body: str
    """The JSON that is sent."""
    created_at: float
    """Seconds since the epoch; of the last request to send it again, if there was one."""
    state: State = State.PENDING
    attempts: int = 0
    status: int = 0
    """Of the last answer; 0 where there was none."""
    error: str = ""

    @classmethod
    def of(cls, event: Event, endpoint: str) -> Self:
        """Return an event's way to an endpoint; the same event and endpoint give the same id."""
        return cls(
            id=_digest(event.id, endpoint),
            tenant=event.tenant,
            endpoint=endpoint,
            event=event.id,
            type=event.type,
            session=event.session_id,
            body=event.to_body().decode(),
            created_at=event.created_at,
        )

    def to_fields(self) -> dict[str, str]:
        """Return the fields of the Redis hash."""
        return {item.name: str(getattr(self, item.name)) for item in fields(self)}

    @classmethod
    def from_fields(cls, raw: Mapping[bytes, bytes]) -> Self:
        """Read a Redis hash; raises InvalidFormat if it is no delivery."""
        text = {name.decode(): value.decode() for name, value in raw.items()}
        try:
            values = {item.name: _READERS[str(item.type)](text[item.name]) for item in fields(cls)}
        except (KeyError, ValueError) as error:
            raise InvalidFormat("webhooks", "not a delivery") from error
        return cls(**values)

    def view(self) -> UndeliveredView:
        """Return it as the API shows it."""
        return UndeliveredView(
            id=self.id,
            webhook=self.endpoint,
            event=self.event,
            type=self.type,
            session_id=self.session,
            attempts=self.attempts,
            status=self.status or None,
            error=self.error,
            created_at=self.created_at,
        )


_READERS: Mapping[str, Any] = {"str": str, "int": int, "float": float, "State": State}


def event_id(session: str, event: EventType, about: str) -> str:
    """Return the id of what happened in a session, the same however often it is told; ``about`` tells which of many."""
    return "evt_" + _digest(session, event.value, about)


def delay_after(attempt: int, jitter: float) -> float:
    """Return the seconds after a failed try, counted from 1, to the next; ``jitter`` is from 0 to 1.

    From half to all of 1, 2, 4 … seconds, an hour at most.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempt - 1, 40))
    return longest * (0.5 + jitter / 2)


def decide(delivery: Delivery, answer: Answer, now: float, jitter: float) -> tuple[Outcome, float]:
    """Return what a try comes to, and when the next is, seconds since the epoch: 0 if there is none."""
    if answer.is_good:
        return Outcome.DELIVERED, 0.0
    due = now + delay_after(delivery.attempts, jitter)
    if due > delivery.created_at + PATIENCE_S:
        return Outcome.GIVEN_UP, 0.0
    return Outcome.AGAIN, due


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:_ID_CHARS]

"""What every carrier can do with calls that we make: dial one, end it, hand it over, and say what it knows of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol


class Outcome(StrEnum):
    """What became of an attempt, or how far it is."""

    RINGING = "ringing"
    ANSWERED = "answered"
    MACHINE = "machine"
    """Answered, and by a machine; the call goes on until ``COMPLETED``."""
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Ended by us before anybody answered."""
    COMPLETED = "completed"
    """Answered, and over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOrder:
    """One attempt at a call, as the carrier is asked for it. Call and attempt together are never ordered twice."""

    call: str
    """Our id of the call."""
    attempt: int
    """1 is the first."""
    trunk: str
    from_: str
    """The number that is shown, E.164."""
    to: str
    """The number that is called, E.164."""
    ring_s: int
    """Seconds that it may ring, 5 to 120."""
    answer_url: str
    """What the carrier asks when somebody answers; signed by it."""
    status_url: str
    """Where it tells what becomes of the attempt."""
    detect_machine: bool = False
    """It is to be told whether a machine answered."""
    await_greeting: bool = False
    """A machine is told of once its greeting is over, in the place of at once."""
    session: str = ""
    """The session whose room the called party joins, where the carrier has ``joins_room``."""
    carrier_call_id: str = ""
    """The carrier's id, in ``find``, where it is known already."""

    def __repr__(self) -> str:
        return f"<DialOrder {self.call} attempt={self.attempt}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """What a carrier tells of an attempt. It may come twice, late, and in any order."""

    call: str
    attempt: int
    outcome: Outcome
    carrier_call_id: str = ""
    at: float
    """Seconds since the epoch."""
    machine: bool | None = None
    """Whether a machine answered; None is not known."""
    code: str = ""
    """The carrier's own reason, such as a SIP status."""


class OutboundCarrier(Protocol):
    """One trunk's way to the telephone network.

    Every method is bounded by a deadline of its own (at most 10 s), and raises errors of ours: RateLimitExceeded where
    the carrier certainly did not take the order and may later (429, with ``retry_after``); any other with ``retryable``
    (ConnectionFailed, ConnectionTimeout) where nobody knows (5xx, timeouts); one that is not (InvalidConfig) where it
    never will: a bad number, wrong credentials.
    """

    polled: ClassVar[bool]
    """It tells nothing by itself: ``find`` is asked every second."""
    joins_room: ClassVar[bool]
    """The called party joins the room of a session that is made before dialling; else a session is made by the answer
    webhook."""

    async def dial(self, order: DialOrder) -> str:
        """Have the number called; return the carrier's id of the call, as soon as it has taken the order."""
        ...

    async def hang_up(self, carrier_call_id: str) -> None:
        """End a call, whether it rings or is talked in; one that is over is fine."""
        ...

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Hand a call over to another number, E.164, whoever made it.

        Where the call leaves us with that, the carrier asks ``back_url`` how it goes on when nobody took it, or all
        has been said; where it stays until somebody takes it, this may take as long as that rings.

        Raises:
            InvalidConfig: this carrier cannot, or not this call.

        """
        ...

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Return what the carrier knows of this attempt; None if it certainly never got the order.

        It is asked when a process died between the order and its answer, and when no status came.

        Raises:
            ConnectionFailed: it cannot be told, now or at all: the attempt is then never ordered again.

        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...

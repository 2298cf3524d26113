"""What goes in and out of the user agent server: where messages come from, and what they told of calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Transport: TypeAlias = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message really came from: the socket says so, not the message. Answers go there, and nowhere else."""

    host: str
    """An IP address."""
    port: int
    transport: Transport = "udp"
    connection: int = 0
    """Which socket or connection, as the listener counts them."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent now."""

    data: bytes = field(repr=False)
    destination: Source


class EndReason(StrEnum):
    """Why a call ended that we did not end ourselves."""

    BYE = "bye"
    """The far side hung up."""
    CANCEL = "cancel"
    """It hung up while it rang."""
    NO_ACK = "no_ack"
    """It never confirmed our answer, for 32 s."""
    NO_ANSWER = "no_answer"
    """We gave none in time."""
    TOO_LONG = "too_long"
    """It lasted longer than ``sip.max_call_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A call comes in: ring, accept or refuse it, within 60 s."""

    call: str
    """Our name of it: random, and what all later events and commands say."""
    call_id: str
    """The caller's name of it (Call-ID), at most 256 characters; the same where a call is told of again."""
    trunk: str
    called: str
    """User part of the address that is called: a number, most often."""
    caller: str
    """User part of the caller's address, empty if it has none; can be forged."""
    headers: Mapping[str, str] = field(repr=False)
    """``x-…``, ``p-asserted-identity``, ``diversion`` and ``identity``: names in small letters, the first of each."""
    offer: bytes | None = field(repr=False)
    """SDP; None where we are to make the offer, and the answer comes with ``Confirmed``."""
    source: Source


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The far side has our answer (ACK): once for every one."""

    call: str
    body: bytes | None = field(repr=False, default=None)
    """Its SDP, where we made the offer."""


@dataclass(frozen=True, slots=True)
class Renegotiated:
    """The far side offers other media (re-INVITE, UPDATE): ``answer_again``, or ``refuse`` with 488."""

    call: str
    offer: bytes | None = field(repr=False)
    """SDP; None where we are to offer again."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key, told by INFO."""

    call: str
    digit: str = field(repr=False)
    """One of ``0123456789*#ABCD``."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over, and not by ``hang_up`` or ``refuse``. The last event of it."""

    call: str
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the user agent does not serve itself: the listener has the deployment's hook answer it."""

    transaction: str
    message: bytes = field(repr=False)
    trunk: str
    source: Source


Event: TypeAlias = Invited | Confirmed | Renegotiated | Pressed | Ended | Asked

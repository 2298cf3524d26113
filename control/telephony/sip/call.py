"""One call: what is known of its dialog, and the one request of ours in it, BYE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from control.telephony.sip import library
from control.telephony.sip.events import Source
from control.telephony.sip.message import MAX_URI, Headers, Request
from control.telephony.sip.transactions import ServerTransaction

BRANCH = "z9hG4bK"
"""What a branch begins with; ours goes on with the call's id."""


class CallState(StrEnum):
    """How far a call is."""

    RINGING = "ringing"
    """It has no final answer."""
    ANSWERED = "answered"
    """Our 200 is not confirmed."""
    UP = "up"
    LEAVING = "leaving"
    """It is over for us, and our BYE is not answered."""


@dataclass(slots=True, kw_only=True)
class Call:
    """A call; its id is our tag too."""

    id: str
    trunk: str
    source: Source
    """Where its last request came from, and ours go."""
    call_id: str
    remote_tag: str
    ours: str
    """To, with our tag."""
    theirs: str
    """From."""
    target: str
    """Contact: the address of requests of ours, never looked up."""
    routes: tuple[str, ...]
    invite: ServerTransaction = field(repr=False)
    remote_cseq: int
    state: CallState = CallState.RINGING
    hangs_up: bool = False
    """Whether BYE is to go as soon as our answer is confirmed."""
    pending: ServerTransaction | None = field(default=None, repr=False)
    """What it asked last, and waits for our answer."""
    unconfirmed: ServerTransaction | None = field(default=None, repr=False)
    """What we answered with 200, and waits for its ACK."""
    said_bye: bytes = field(default=b"", repr=False)
    repeat_s: float = 0.0
    """Seconds until the 200 or the BYE that is not confirmed is sent again."""
    confirm_until: float = 0.0

    @classmethod
    def of(cls, tag: str, trunk: str, one: ServerTransaction) -> Call:
        """Return the call that an INVITE begins."""
        request = one.request
        return cls(
            id=tag,
            trunk=trunk,
            source=one.source,
            call_id=request.call_id,
            remote_tag=request.from_tag,
            ours=f"{request.headers.get('to')};tag={tag}",
            theirs=request.headers.get("from"),
            target=_contact(request.headers) or request.uri,
            routes=tuple(request.headers.all("record-route")),
            invite=one,
            remote_cseq=request.cseq,
        )

    def follow(self, request: Request, source: Source) -> None:
        """Note what a later request of the far side says of how it is reached."""
        self.remote_cseq, self.source = request.cseq, source
        if request.method in {"INVITE", "UPDATE"}:
            self.target = _contact(request.headers) or self.target

    def transactions(self) -> Iterator[ServerTransaction]:
        """Return those that wait for an answer of ours."""
        if not self.invite.is_final:
            yield self.invite
        if self.pending is not None:
            yield self.pending

    def bye(self, contact: str) -> bytes:
        """Return the request that ends it; ``contact`` is our host and port."""
        lines = [
            f"BYE {self.target} SIP/2.0",
            f"Via: SIP/2.0/{self.source.transport.upper()} {contact};branch={BRANCH}{self.id};rport",
            *(f"Route: {route}" for route in self.routes),
            "Max-Forwards: 70",
            f"From: {self.ours}",
            f"To: {self.theirs}",
            f"Call-ID: {self.call_id}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
            "",
            "",
        ]
        return "\r\n".join(lines).encode()


def _contact(headers: Headers) -> str:
    """Return the address in Contact; empty where it has none that can be repeated."""
    try:
        uri = library.address(headers.get("contact")).uri
    except ValueError:
        return ""
    return uri if len(uri) <= MAX_URI and uri.isascii() and " " not in uri else ""

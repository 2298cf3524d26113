"""A user agent server with a caller, without sockets and clock: a test says what is sent, and what time it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from control.telephony.sip.events import Event, Invited, Outgoing, Source
from control.telephony.sip.settings import SipSettings
from control.telephony.sip.trunks import TrunkAccess
from control.telephony.sip.user_agent import UserAgentServer

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"
SDP = "application/sdp"
PHONE = Source("192.0.2.10", 5070)
STRANGER = Source("198.51.100.1", 5060)
TRUNK = TrunkAccess((ip_network("192.0.2.0/24"),))


def message(
    method: str,
    *,
    branch: str,
    cseq: int,
    to_tag: str = "",
    call_id: str = "call-1",
    from_tag: str = "theirs",
    body: bytes = b"",
    kind: str = SDP,
    more: Mapping[str, str] | None = None,
    transport: str = "UDP",
) -> bytes:
    """Return a request, whole and right."""
    headers = {
        "Via": f"SIP/2.0/{transport} 192.0.2.10:5070;branch=z9hG4bK{branch};rport",
        "Max-Forwards": "70",
        "From": f"<sip:+12025550111@192.0.2.10>;tag={from_tag}",
        "To": "<sip:+14155550123@192.0.2.1>" + (f";tag={to_tag}" if to_tag else ""),
        "Call-ID": call_id,
        "CSeq": f"{cseq} {method}",
        "Contact": "<sip:phone@192.0.2.10:5070>",
        **({"Content-Type": kind} if body else {}),
        "Content-Length": str(len(body)),
        **(more or {}),
    }
    lines = [f"{method} sip:+14155550123@192.0.2.1 SIP/2.0", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def code(sent: Outgoing) -> int:
    """Return an answer's status; 0 of a request."""
    return int(sent.data[8:11]) if sent.data.startswith(b"SIP/2.0 ") else 0


def codes(sent: Iterable[tuple[float, Outgoing]]) -> list[tuple[float, int]]:
    """Return when which statuses were sent, of what ``wait`` returns."""
    return [(at, code(one)) for at, one in sent]


def header(sent: Outgoing, name: str) -> str:
    """Return a header of what was sent; empty if it has none."""
    found = re.search(rf"^{name}: (.*)\r$", sent.data.decode(), re.MULTILINE)
    return found[1] if found else ""


class Exchange:
    """The server, and a phone that calls it."""

    def __init__(self, trunks: Mapping[str, TrunkAccess] | None = None, **settings: Any) -> None:
        self.agent = UserAgentServer(
            SipSettings.model_validate({"listen": ["udp:192.0.2.1:5060", "tcp:192.0.2.1:5060"], **settings}),
            trunks or {"main": TRUNK},
            secret=b"s" * 32,
        )
        self.now = 1000.0
        self.events: list[Event] = []

    def send(self, data: bytes, source: Source = PHONE) -> list[Outgoing]:
        """Send bytes, and return what comes back."""
        return self._heard(self.agent.handle_sip(data, source, self.now))

    def ask(self, method: str, *, source: Source = PHONE, **parts: Any) -> list[int]:
        """Send a request, and return the statuses that come back; 0 is a request."""
        return [code(sent) for sent in self.send(message(method, **parts), source)]

    def do(self, command: str, *arguments: Any) -> list[Outgoing]:
        """Give a command."""
        return self._heard(getattr(self.agent, command)(*arguments, self.now))

    def wait(self, seconds: float) -> list[tuple[float, Outgoing]]:
        """Let time go by, and return what is sent, with the seconds since now."""
        begun, until = self.now, self.now + seconds
        sent: list[tuple[float, Outgoing]] = []
        while (at := self.agent.next_due()) is not None and at <= until:
            self.now = max(at, self.now)
            sent += [(round(self.now - begun, 3), one) for one in self._heard(self.agent.due(self.now))]
        self.now = until
        return sent

    def ring_up(self, **parts: Any) -> str:
        """Send an INVITE, and return the call."""
        parts = {"branch": "invite", "cseq": 1, "body": OFFER, **parts}
        assert self.ask("INVITE", **parts) == [100]
        return self.invited[-1].call

    @property
    def invited(self) -> list[Invited]:
        """Return the calls that were told."""
        return [event for event in self.events if isinstance(event, Invited)]

    def call(self, **parts: Any) -> str:
        """Have a call that is up, and return it."""
        call = self.ring_up(**parts)
        assert [code(sent) for sent in self.do("accept", call, ANSWER)] == [200]
        about = {name: value for name, value in parts.items() if name in {"call_id", "from_tag", "source"}}
        self.ask("ACK", branch=f"ack-{call}", cseq=1, to_tag=call, **about)
        self.events.clear()
        return call

    @property
    def is_at_rest(self) -> bool:
        """Tell whether nothing is remembered of anybody."""
        return not (self.agent.calls or self.agent.transactions) and self.agent.next_due() is None

    def _heard(self, sent: list[Outgoing]) -> list[Outgoing]:
        self.events += self.agent.take_events()
        return sent

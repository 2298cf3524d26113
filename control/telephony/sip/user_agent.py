"""The SIP user agent server: messages in, answers and events out. Pure: no clock, no sockets."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Mapping

from control.telephony.sip import library, offer_body, sdp
from control.telephony.sip.access import ASKS, BUSY, RETRY, Access
from control.telephony.sip.calls import Calls
from control.telephony.sip.dialog_requests import DialogRequests
from control.telephony.sip.events import Asked, Event, Outgoing, Source, Transport
from control.telephony.sip.message import MAX_MESSAGE, Faulty, Headers, Request, Response, Unanswerable, parse
from control.telephony.sip.reply import ALLOW, reply
from control.telephony.sip.settings import SipSettings
from control.telephony.sip.timers import Timers
from control.telephony.sip.transactions import Transactions
from control.telephony.sip.trunks import TrunkAccess

MAX_ASKED = 64
"""Requests that the deployment's hook has at once."""
_FINAL = re.compile(rb"SIP/2\.0 [2-6][0-9]{2} ")
_ALWAYS = frozenset({"OPTIONS", "BYE"})
"""What is served however much is remembered: of which nothing is, and what comes once for a call."""
_IN_CALLS = frozenset({"BYE", "INFO", "UPDATE", "PRACK"})
"""What means nothing outside of a call."""


class UserAgentServer:
    """Takes calls of trunks. Times are seconds of a clock that does not jump; no message makes it raise."""

    def __init__(self, settings: SipSettings, trunks: Mapping[str, TrunkAccess], *, secret: bytes) -> None:
        """``secret``, 32 random bytes, makes nonces and tags; nobody else needs to know it.

        Raises:
            InvalidConfig: the package that parses SIP is not installed.

        """
        library.sipmessage()
        self._settings, self._secret = settings, secret
        self._ports: dict[Transport, int] = {one.transport: one.port for one in reversed(settings.listen)}
        self._access = Access(trunks, secret=secret, per_second=settings.invites_per_second)
        self._timers = Timers()
        self._transactions = Transactions(self._timers)
        self._calls = Calls(self._transactions, self._timers, contact=self._contact, max_call_s=settings.max_call_s)
        self._dialogs = DialogRequests(self._calls, self._transactions)
        self._asked: set[str] = set()
        self._outside: Mapping[str, Callable[[Request, Source, str, float], list[Outgoing]]] = {
            "INVITE": self._invite,
            "OPTIONS": self._options,
            "REFER": lambda request, source, _trunk, _now: self._refuse(request, source, 405, ("Allow", ALLOW)),
        }
        self.probe = f"probe-{secrets.token_hex(16)}"
        """An OPTIONS with this Call-ID is answered wherever it comes from: by it a listener tries its own sockets."""

    @property
    def calls(self) -> int:
        """Return how many calls there are."""
        return len(self._calls)

    @property
    def transactions(self) -> int:
        """Return how many requests are remembered."""
        return len(self._transactions)

    def listens(self, transport: Transport, port: int) -> None:
        """Note the port that a socket really has."""
        self._ports[transport] = port

    def is_stranger(self, host: str) -> bool:
        """Tell whether an IP address belongs to no trunk, nor to one by which calls go on."""
        source = Source(host, 0)
        return not (self._access.trunk(source) or self._access.former(source))

    def renew(self, trunks: Mapping[str, TrunkAccess]) -> None:
        """Let in by these trunks from now on. Calls that go on keep theirs, and requests that may come again."""
        self._access.renew(trunks, self._calls.trunks | self._transactions.trunks)

    def take_events(self) -> list[Event]:
        """Return what happened since this was asked last, in order."""
        events, self._calls.events = self._calls.events, []
        return events

    def handle_sip(self, message: bytes, source: Source, now: float) -> list[Outgoing]:
        """Take a message, and return what is to be sent; what it told waits in ``take_events``."""
        trunk, former = self._access.trunk(source), self._access.former(source)
        if not (trunk or former) and self.probe.encode() not in message and not self._access.tells_stranger(now):
            return []
        try:
            parsed = parse(message)
        except Unanswerable:
            return []
        except Faulty as fault:
            code = fault.code if trunk else 403
            return [] if fault.method == "ACK" else self._answer(fault.headers, source, code)
        if isinstance(parsed, Response):
            if trunk or former:
                self._calls.take_response(parsed)
            return []
        trunk = next((name for name in former if self._goes_on(parsed, name)), trunk)
        if not trunk:
            return self._stranger(parsed, source) if not former or self._access.tells_stranger(now) else []
        return self._request(parsed, message, source, trunk, now)

    def next_due(self) -> float | None:
        """Return when ``due`` is to be asked next; None while nothing waits."""
        return self._timers.next()

    def due(self, now: float) -> list[Outgoing]:
        """Return what is to be sent because time went by."""
        sent: list[Outgoing] = []
        while (name := self._timers.pop(now)) is not None:
            kind, key = name
            if kind == "transaction":
                sent += self._transactions.due(key, now)
                if self._transactions.get(key) is None:
                    self._asked.discard(key)
            else:
                sent += self._calls.due(kind, key, now)
        return sent

    def ring(self, call: str, now: float) -> list[Outgoing]:
        """Say 180. Every command does nothing for a call that is over, or not in a state for it."""
        return self._calls.ring(call, now)

    def accept(self, call: str, answer: bytes, now: float) -> list[Outgoing]:
        """Say 200 with our SDP: the answer, or the offer where ``Invited`` had none. Repeated until confirmed."""
        return self._calls.accept(call, answer, now)

    def refuse(self, call: str, code: int, now: float) -> list[Outgoing]:
        """Refuse the call, or what it offered last, with a status of 400 to 699."""
        return self._calls.refuse(call, code, now)

    def answer_again(self, call: str, answer: bytes, now: float) -> list[Outgoing]:
        """Say 200 with this SDP to what ``Renegotiated`` told."""
        return self._calls.answer_again(call, answer, now)

    def hang_up(self, call: str, now: float) -> list[Outgoing]:
        """End the call whatever its state: BYE once our answer is confirmed, 480 while it rings."""
        return self._calls.hang_up(call, now)

    def reply_asked(self, transaction: str, answer: bytes, now: float) -> list[Outgoing]:
        """Answer what ``Asked`` told: with these bytes if they are a final answer, else with 405."""
        one = self._transactions.get(transaction)
        self._asked.discard(transaction)
        if one is None:
            return []
        if not _FINAL.match(answer) or len(answer) > MAX_MESSAGE:
            answer = self._bytes(one.request.headers, one.source, 405, ("Allow", ALLOW))
        return self._transactions.answer(one, int(answer[8:11]), answer, now)

    def hang_up_all(self, now: float) -> list[Outgoing]:
        """End every call."""
        return [sent for call in self._calls for sent in self.hang_up(call, now)]

    def _goes_on(self, request: Request, trunk: str) -> bool:
        """Tell whether a request is of what came by a trunk before."""
        return self._calls.find(request, trunk) is not None or self._transactions.knows(request, trunk)

    def _request(self, request: Request, message: bytes, source: Source, trunk: str, now: float) -> list[Outgoing]:
        if request.method == "ACK":
            return self._ack(request, trunk, now)
        if request.method == "CANCEL":
            return self._cancel(request, source, trunk, now)
        known = self._transactions.find(request, trunk)
        if known is not None:
            return self._transactions.repeat(known, source)
        if self._transactions.is_full and request.method not in _ALWAYS:
            return self._refuse(request, source, BUSY, RETRY)
        if unknown := request.headers.tokens("require"):
            return self._refuse(request, source, 420, ("Unsupported", ", ".join(unknown)))
        return self._new(request, message, source, trunk, now)

    def _new(self, request: Request, message: bytes, source: Source, trunk: str, now: float) -> list[Outgoing]:
        """Serve a request that has not come before."""
        call = self._calls.find(request, trunk)
        if call is not None:
            return self._dialogs.take(call, request, source, now)
        if request.to_tag or request.method in _IN_CALLS:
            return self._refuse(request, source, 481)
        handler = self._outside.get(request.method)
        if handler is None:
            return self._ask(request, message, source, trunk, now)
        return handler(request, source, trunk, now)

    def _ack(self, request: Request, trunk: str, now: float) -> list[Outgoing]:
        call = self._calls.find(request, trunk)
        one = self._transactions.find(request, trunk, "INVITE")
        if one is not None:
            self._transactions.confirm(one, now)
        return [] if call is None else self._calls.confirm(call, request, now)

    def _cancel(self, request: Request, source: Source, trunk: str, now: float) -> list[Outgoing]:
        known = self._transactions.find(request, trunk)
        if known is not None:
            return self._transactions.repeat(known, source)
        one = self._transactions.find(request, trunk, "INVITE")
        if one is None or (one.request.call_id, one.request.cseq) != (request.call_id, request.cseq):
            return self._refuse(request, source, 481)
        data = reply(request.headers, source, 200, tag=one.call or self._tag(request.headers))
        if self._transactions.is_full:
            return [Outgoing(data, source), *self._calls.cancel(one, now)]
        cancel = self._transactions.open(request, source, trunk, now)
        return [*self._transactions.answer(cancel, 200, data, now), *self._calls.cancel(one, now)]

    def _invite(self, request: Request, source: Source, trunk: str, now: float) -> list[Outgoing]:
        if no := offer_body.refusal(request):
            return self._refuse(request, source, no.code, *no.headers)
        if no := self._access.refusal(request, source, trunk, now):
            if no.code == ASKS:
                return self._refuse(request, source, no.code, *no.headers)
            return self._shut_out(request, source, trunk, now, no.code, *no.headers)
        if self._calls.is_merged(request, trunk):
            return self._shut_out(request, source, trunk, now, 482)
        if len(self._calls) >= self._settings.max_calls:
            return self._shut_out(request, source, trunk, now, BUSY, RETRY)
        return self._calls.begin(self._transactions.open(request, source, trunk, now), trunk, now)

    def _shut_out(
        self, request: Request, source: Source, trunk: str, now: float, code: int, *extra: tuple[str, str]
    ) -> list[Outgoing]:
        """Refuse a call for what may be otherwise in a moment: should it come again, it gets the same answer."""
        if self._transactions.is_crowded:
            return self._refuse(request, source, code, *extra)
        one = self._transactions.open(request, source, trunk, now)
        data = self._bytes(request.headers, source, code, *extra)
        return self._transactions.answer(one, code, data, now, repeats=False)

    def _options(self, request: Request, source: Source, _trunk: str, _now: float) -> list[Outgoing]:
        return self._refuse(request, source, 200, ("Allow", ALLOW), ("Accept", sdp.KIND))

    def _ask(self, request: Request, message: bytes, source: Source, trunk: str, now: float) -> list[Outgoing]:
        """Have the deployment's hook answer."""
        if len(self._asked) >= MAX_ASKED:
            return self._refuse(request, source, BUSY, RETRY)
        if no := self._access.refusal(request, source, trunk, now):
            return self._refuse(request, source, no.code, *no.headers)
        one = self._transactions.open(request, source, trunk, now)
        self._asked.add(one.key)
        self._calls.events.append(Asked(one.key, message, trunk, source))
        return []

    def _stranger(self, request: Request, source: Source) -> list[Outgoing]:
        if request.method == "OPTIONS" and hmac.compare_digest(request.call_id.encode(), self.probe.encode()):
            return self._options(request, source, "", 0.0)
        return [] if request.method == "ACK" else self._refuse(request, source, 403)

    def _refuse(self, request: Request, source: Source, code: int, *extra: tuple[str, str]) -> list[Outgoing]:
        """Answer, and remember nothing: should the request come again, so does the answer."""
        return self._answer(request.headers, source, code, *extra)

    def _answer(self, headers: Headers, source: Source, code: int, *extra: tuple[str, str]) -> list[Outgoing]:
        return [Outgoing(self._bytes(headers, source, code, *extra), source)]

    def _bytes(self, headers: Headers, source: Source, code: int, *extra: tuple[str, str]) -> bytes:
        return reply(headers, source, code, tag=self._tag(headers), extra=extra)

    def _tag(self, headers: Headers) -> str:
        """Return our tag for a request outside of calls: the same whenever it comes."""
        about = "\n".join((headers.get("call-id"), headers.get("from")))
        return hmac.new(self._secret, about.encode(), "sha256").hexdigest()[:24]

    def _contact(self, source: Source) -> str:
        """Return our host and port, as the far side reaches us by a source's transport."""
        address = self._settings.address
        host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004
        return f"{host}:{self._ports.get(source.transport, 5060)}"

"""Requests inside of a call, one handler each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from control.telephony.sip import offer_body
from control.telephony.sip.call import Call, CallState
from control.telephony.sip.calls import Calls
from control.telephony.sip.events import EndReason, Outgoing, Pressed, Source
from control.telephony.sip.message import Request
from control.telephony.sip.reply import ALLOW, reply
from control.telephony.sip.token_bucket import TokenBucket
from control.telephony.sip.transactions import ServerTransaction, Transactions

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"
OFTEN = 20.0, 50.0
"""Requests in a second that a call may make, and how many at once; all are remembered for 32 s."""
_SIGNAL = re.compile(rb"(?im)^\s*signal\s*=\s*([0-9]{1,2}|[*#a-d])\s*$")
_KEYS = {str(key): str(key) for key in range(10)} | {"10": "*", "11": "#", "*": "*", "#": "#"}
_KEYS |= {letter: letter for letter in "ABCD"}

Handler = Callable[[Call, ServerTransaction, float], list[Outgoing]]


class DialogRequests:
    """Serves what the far side asks of a call that it has."""

    def __init__(self, calls: Calls, transactions: Transactions) -> None:
        self._calls, self._transactions = calls, transactions
        self._often = TokenBucket(*OFTEN, most=10_000)
        self._handlers: Mapping[str, Handler] = {
            "INVITE": self._media,
            "UPDATE": self._update,
            "INFO": self._info,
            "BYE": self._bye,
            "OPTIONS": lambda _, one, now: self._answer(one, 200, now, allow=True),
        }

    def take(self, call: Call, request: Request, source: Source, now: float) -> list[Outgoing]:
        """Serve a request, of which ``call`` is the call; those that come again are not for here."""
        if request.method != "BYE" and not self._often.take(call.id, now):
            return [Outgoing(reply(request.headers, source, 503, extra=[("Retry-After", "1")]), source)]
        late = request.cseq <= call.remote_cseq
        if not late:
            call.follow(request, source)
        one = self._transactions.open(request, source, call.trunk, now)
        if late:
            return self._answer(one, 500, now)
        handler = self._handlers.get(request.method)
        if handler is None:
            return self._answer(one, 405, now, allow=True)
        if call.state is CallState.LEAVING and request.method != "BYE":
            return self._answer(one, 481, now)
        return handler(call, one, now)

    def _media(self, call: Call, one: ServerTransaction, now: float) -> list[Outgoing]:
        if call.state is not CallState.UP or call.pending is not None or call.unconfirmed is not None:
            return self._answer(one, 491, now)
        if no := offer_body.refusal(one.request):
            return self._answer(one, no.code, now, extra=no.headers)
        return self._calls.renegotiate(call, one, now)

    def _update(self, call: Call, one: ServerTransaction, now: float) -> list[Outgoing]:
        return self._media(call, one, now) if one.request.body else self._answer(one, 200, now)

    def _info(self, call: Call, one: ServerTransaction, now: float) -> list[Outgoing]:
        kind, body = one.request.content_type, one.request.body
        if not body:
            return self._answer(one, 200, now)
        if kind not in {RELAY, PLAIN}:
            return self._answer(one, 415, now, extra=[("Accept", f"{RELAY}, {PLAIN}")])
        digit = pressed(kind, body)
        if not digit:
            return self._answer(one, 400, now)
        self._calls.events.append(Pressed(call.id, digit))
        return self._answer(one, 200, now)

    def _bye(self, call: Call, one: ServerTransaction, now: float) -> list[Outgoing]:
        return [*self._answer(one, 200, now), *self._calls.end(call, EndReason.BYE, now)]

    def _answer(
        self,
        one: ServerTransaction,
        code: int,
        now: float,
        *,
        allow: bool = False,
        extra: Iterable[tuple[str, str]] = (),
    ) -> list[Outgoing]:
        headers = [*extra, *([("Allow", ALLOW)] if allow else [])]
        return self._transactions.answer(one, code, reply(one.request.headers, one.source, code, extra=headers), now)


def pressed(kind: str, body: bytes) -> str:
    """Return the key that the body of an INFO tells, empty if it tells none."""
    if kind == RELAY:
        found = _SIGNAL.search(body[:256])
        text = found[1] if found else b""
    else:
        text = body[:8].strip()
    return _KEYS.get(text.decode("ascii", "replace").upper(), "")

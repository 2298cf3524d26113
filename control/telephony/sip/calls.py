"""The calls of a process: what we do with each, and what time does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from control.telephony.sip import sdp
from control.telephony.sip.call import BRANCH, Call, CallState
from control.telephony.sip.events import (
    Confirmed,
    Ended,
    EndReason,
    Event,
    Invited,
    Outgoing,
    Renegotiated,
    Source,
)
from control.telephony.sip.message import Headers, Request, Response
from control.telephony.sip.reply import ALLOW, reply
from control.telephony.sip.timers import Timers
from control.telephony.sip.transactions import KEPT_S, T1, T2, ServerTransaction, Transactions

RING_S = 60.0
"""Seconds in which a call is accepted, or refused."""
DECIDE_S = 10.0
"""Seconds in which other media are answered."""
STRANGER_S = 6.0
"""Seconds that a BYE is repeated to who never confirmed our answer; others get it for 32."""
_TOLD = ("p-asserted-identity", "diversion", "identity")


class Calls:
    """Commands and timers of calls. Each returns what is to be sent."""

    def __init__(
        self, transactions: Transactions, timers: Timers, *, contact: Callable[[Source], str], max_call_s: float
    ) -> None:
        self._transactions, self._timers, self._contact = transactions, timers, contact
        self._max_call_s = max_call_s
        self._calls: dict[str, Call] = {}
        self._by_caller: dict[tuple[str, str, str], str] = {}
        self.events: list[Event] = []

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._calls))

    @property
    def trunks(self) -> set[str]:
        """Return the trunks by which there are calls."""
        return {call.trunk for call in self._calls.values()}

    def find(self, request: Request, trunk: str) -> Call | None:
        """Return the call that a request is in: all of its tags and its trunk must fit."""
        call = self._calls.get(request.to_tag)
        fits = call is not None and (call.trunk, call.call_id, call.remote_tag) == _caller(request, trunk)
        return call if fits else None

    def is_merged(self, request: Request, trunk: str) -> bool:
        """Tell whether a call has come by another way already."""
        return _caller(request, trunk) in self._by_caller

    def begin(self, one: ServerTransaction, trunk: str, now: float) -> list[Outgoing]:
        """Take a call, and say 100."""
        call = Call.of(secrets.token_hex(12), trunk, one)
        one.call = call.id
        self._calls[call.id] = call
        self._by_caller[_caller(one.request, trunk)] = call.id
        self._timers.set(("call", call.id), now + RING_S)
        self.events.append(_invited(call, one.request, one.source))
        return self._transactions.answer(one, 100, reply(one.request.headers, one.source, 100), now)

    def ring(self, call_id: str, now: float) -> list[Outgoing]:
        """Say 180."""
        call = self._calls.get(call_id)
        if call is None or call.state is not CallState.RINGING:
            return []
        return self._say(call, call.invite, 180, now)

    def accept(self, call_id: str, answer: bytes, now: float) -> list[Outgoing]:
        """Say 200, until it is confirmed."""
        call = self._calls.get(call_id)
        if call is None or call.state is not CallState.RINGING:
            return []
        call.state = CallState.ANSWERED
        self._timers.set(("call", call.id), now + self._max_call_s)
        return self._accepted(call, call.invite, answer, now)

    def refuse(self, call_id: str, code: int, now: float) -> list[Outgoing]:
        """Refuse the call, or what it asked last."""
        call = self._calls.get(call_id)
        code = code if 400 <= code <= 699 else 500  # noqa: PLR2004
        if call is None:
            return []
        if call.state is CallState.RINGING:
            self._forget(call)
            return self._say(call, call.invite, code, now)
        pending = self._decided(call)
        return [] if pending is None else self._say(call, pending, code, now)

    def answer_again(self, call_id: str, answer: bytes, now: float) -> list[Outgoing]:
        """Say 200 to other media."""
        call = self._calls.get(call_id)
        pending = None if call is None else self._decided(call)
        if call is None or pending is None:
            return []
        return self._accepted(call, pending, answer, now)

    def hang_up(self, call_id: str, now: float) -> list[Outgoing]:
        """End the call: BYE, as soon as that may be said."""
        call = self._calls.get(call_id)
        if call is None or call.state is CallState.LEAVING:
            return []
        if call.state is CallState.RINGING:
            return self.refuse(call_id, 480, now)
        if call.state is CallState.ANSWERED:
            call.hangs_up = True
            return []
        return self._leave(call, now)

    def renegotiate(self, call: Call, one: ServerTransaction, now: float) -> list[Outgoing]:
        """Tell of other media that the far side wants."""
        call.pending, one.call = one, call.id
        self._timers.set(("pending", call.id), now + DECIDE_S)
        self.events.append(Renegotiated(call.id, one.request.body or None))
        if one.request.method != "INVITE":
            return []
        return self._transactions.answer(one, 100, reply(one.request.headers, one.source, 100), now)

    def confirm(self, call: Call, request: Request, now: float) -> list[Outgoing]:
        """Take an ACK."""
        if call.unconfirmed is None or request.cseq != call.unconfirmed.request.cseq:
            return []
        call.unconfirmed = None
        self._timers.clear(("answer", call.id))
        if call.state is CallState.ANSWERED:
            call.state = CallState.UP
        if call.hangs_up:
            return self._leave(call, now)
        self.events.append(Confirmed(call.id, request.body or None))
        return []

    def end(self, call: Call, reason: EndReason, now: float) -> list[Outgoing]:
        """Take the far side's BYE or CANCEL: what still waits for an answer gets 487."""
        waiting = tuple(call.transactions())
        if call.state is not CallState.LEAVING and not call.hangs_up:
            self.events.append(Ended(call.id, reason))
        self._forget(call)
        return [sent for one in waiting for sent in self._say(call, one, 487, now)]

    def cancel(self, one: ServerTransaction, now: float) -> list[Outgoing]:
        """Take the CANCEL of an INVITE."""
        call = self._calls.get(one.call)
        if call is None or one.is_final:
            return []
        if one is call.invite:
            return self.end(call, EndReason.CANCEL, now)
        self._decided(call)
        return self._say(call, one, 487, now)

    def take_response(self, response: Response) -> None:
        """Take the answer to a BYE of ours."""
        call = self._calls.get(response.branch.removeprefix(BRANCH))
        if call is not None and call.state is CallState.LEAVING and response.method == "BYE" and response.code >= 200:  # noqa: PLR2004
            self._forget(call)

    def due(self, kind: str, call_id: str, now: float) -> list[Outgoing]:
        """Do what is to be done now: see the names of timers."""
        call = self._calls[call_id]
        match kind:
            case "answer":
                return self._repeat_answer(call, now)
            case "pending":
                return self.refuse(call_id, 500, now)
            case "bye":
                return self._repeat_bye(call, now)
            case _:
                return self._too_long(call, now)

    def _too_long(self, call: Call, now: float) -> list[Outgoing]:
        if call.state is CallState.RINGING:
            self.events.append(Ended(call.id, EndReason.NO_ANSWER))
        elif not call.hangs_up:
            self.events.append(Ended(call.id, EndReason.TOO_LONG))
        return self.hang_up(call.id, now)

    def _repeat_answer(self, call: Call, now: float) -> list[Outgoing]:
        one = call.unconfirmed
        if one is None:
            return []
        if now >= call.confirm_until:
            if not call.hangs_up:
                self.events.append(Ended(call.id, EndReason.NO_ACK))
            return self._leave(call, now)
        call.repeat_s = min(2 * call.repeat_s, T2)
        self._timers.set(("answer", call.id), min(now + call.repeat_s, call.confirm_until))
        return [Outgoing(one.answer, one.source)]

    def _repeat_bye(self, call: Call, now: float) -> list[Outgoing]:
        if now >= call.confirm_until:
            self._forget(call)
            return []
        call.repeat_s = min(2 * call.repeat_s, T2)
        self._timers.set(("bye", call.id), min(now + call.repeat_s, call.confirm_until))
        return [Outgoing(call.said_bye, call.source)]

    def _leave(self, call: Call, now: float) -> list[Outgoing]:
        """Say BYE, until it is answered."""
        pending = self._decided(call)
        refused = [] if pending is None else self._say(call, pending, 487, now)
        patience_s = KEPT_S if call.state is CallState.UP else STRANGER_S
        self._unschedule(call)
        call.state, call.unconfirmed = CallState.LEAVING, None
        call.said_bye = call.bye(self._contact(call.source))
        call.repeat_s, call.confirm_until = T1, now + patience_s
        repeats = call.source.transport == "udp"
        self._timers.set(("bye", call.id), now + T1 if repeats else call.confirm_until)
        return [*refused, Outgoing(call.said_bye, call.source)]

    def _accepted(self, call: Call, one: ServerTransaction, answer: bytes, now: float) -> list[Outgoing]:
        if one.request.method == "INVITE":
            call.unconfirmed, call.repeat_s, call.confirm_until = one, T1, now + KEPT_S
            self._timers.set(("answer", call.id), now + T1)
        return self._say(call, one, 200, now, body=answer)

    def _say(self, call: Call, one: ServerTransaction, code: int, now: float, body: bytes = b"") -> list[Outgoing]:
        extra = [("Contact", self._address(one.source)), ("Allow", ALLOW)] if code < 300 else []  # noqa: PLR2004
        if body:
            extra.append(("Content-Type", sdp.KIND))
        data = reply(one.request.headers, one.source, code, tag=call.id, extra=extra, body=body)
        return self._transactions.answer(one, code, data, now)

    def _address(self, source: Source) -> str:
        return f"<sip:{self._contact(source)}{';transport=tcp' if source.transport == 'tcp' else ''}>"

    def _decided(self, call: Call) -> ServerTransaction | None:
        """Return what waited for an answer, which it gets now."""
        pending, call.pending = call.pending, None
        self._timers.clear(("pending", call.id))
        return pending

    def _unschedule(self, call: Call) -> None:
        for kind in ("call", "answer", "pending", "bye"):
            self._timers.clear((kind, call.id))

    def _forget(self, call: Call) -> None:
        self._unschedule(call)
        del self._calls[call.id]
        self._by_caller.pop((call.trunk, call.call_id, call.remote_tag), None)


def _caller(request: Request, trunk: str) -> tuple[str, str, str]:
    return (trunk, request.call_id, request.from_tag)


def _invited(call: Call, request: Request, source: Source) -> Invited:
    return Invited(
        call=call.id,
        call_id=call.call_id,
        trunk=call.trunk,
        called=request.called,
        caller=request.caller,
        headers=_told(request.headers),
        offer=request.body or None,
        source=source,
    )


def _told(headers: Headers) -> dict[str, str]:
    """Return the headers that routes and agents may see."""
    return {name: value for name, value in headers.first() if name.startswith("x-") or name in _TOLD}

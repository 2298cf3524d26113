"""Server transactions: a request that comes again gets the same answer; refusals are repeated until confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field

from control.telephony.sip.events import Outgoing, Source
from control.telephony.sip.message import Request
from control.telephony.sip.timers import Timers

T1 = 0.5
"""Seconds after which something is sent again, doubled every time."""
T2 = 4.0
"""Seconds that this becomes at most."""
KEPT_S = 32.0
"""Seconds that a final answer is kept, and repeated until it is confirmed."""
T4 = 5.0
"""Seconds that a request stays on its way at most."""
UNANSWERED_S = 64.0
"""Seconds after which a request that nobody answered is forgotten."""
MAX_TRANSACTIONS = 20_000
MAX_REFUSED = 10_000
"""Of these, calls that were refused at the door: a flood of them leaves room for the requests of calls."""
FINAL = 200
REFUSED = 300


@dataclass(slots=True)
class ServerTransaction:
    """A request, and what it was answered."""

    key: str
    trunk: str
    request: Request
    """Without headers and body once it has its last answer: a flood of refused calls would keep all that they said."""
    source: Source
    call: str = ""
    """The call that it is of."""
    code: int = 0
    """Of the last answer; 0 before the first."""
    answer: bytes = field(default=b"", repr=False)
    repeat_s: float = 0.0
    ends_at: float = 0.0

    @property
    def is_final(self) -> bool:
        """Tell whether the request has its last answer."""
        return self.code >= FINAL


class Transactions:
    """Those of a process."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._open: dict[str, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Tell whether one more would be one too many."""
        return len(self._open) >= MAX_TRANSACTIONS

    @property
    def is_crowded(self) -> bool:
        """Tell whether refusals are not to be remembered for now."""
        return len(self._open) >= MAX_REFUSED

    @property
    def trunks(self) -> set[str]:
        """Return the trunks by which these came."""
        return {one.trunk for one in self._open.values()}

    def get(self, key: str) -> ServerTransaction | None:
        """Return the one with this key."""
        return self._open.get(key)

    def find(self, request: Request, trunk: str, method: str = "") -> ServerTransaction | None:
        """Return the one that a request belongs to; ``method`` takes the place of its own for ACK and CANCEL."""
        return self._open.get(_key(request, trunk, method or request.method))

    def knows(self, request: Request, trunk: str) -> bool:
        """Tell whether a request came by this trunk before, or is the ACK or CANCEL of one that did."""
        of_invite = request.method in {"ACK", "CANCEL"} and self.find(request, trunk, "INVITE") is not None
        return of_invite or self.find(request, trunk) is not None

    def open(self, request: Request, source: Source, trunk: str, now: float) -> ServerTransaction:
        """Begin one."""
        key = _key(request, trunk, request.method)
        found = ServerTransaction(key, trunk, request, source, ends_at=now + UNANSWERED_S)
        self._open[found.key] = found
        self._timers.set(("transaction", found.key), found.ends_at)
        return found

    def answer(
        self, one: ServerTransaction, code: int, data: bytes, now: float, *, repeats: bool = True
    ) -> list[Outgoing]:
        """Send an answer, unless there was a final one; ``repeats`` a refused call until that is confirmed."""
        if one.is_final:
            return []
        one.code, one.answer = code, data
        if one.is_final:
            one.request, one.ends_at = one.request.outline, now + KEPT_S
            repeats &= one.request.method == "INVITE" and code >= REFUSED and one.source.transport == "udp"
            one.repeat_s = T1 if repeats else 0.0
            self._timers.set(("transaction", one.key), now + one.repeat_s if repeats else one.ends_at)
        return [Outgoing(data, one.source)]

    def repeat(self, one: ServerTransaction, source: Source) -> list[Outgoing]:
        """Answer a request that came again as before."""
        return [Outgoing(one.answer, source)] if one.answer else []

    def confirm(self, one: ServerTransaction, now: float) -> None:
        """Take the ACK of a refusal."""
        if one.code >= REFUSED and one.repeat_s:
            one.repeat_s = 0.0
            one.ends_at = min(one.ends_at, now + T4)
            self._timers.set(("transaction", one.key), one.ends_at)

    def due(self, key: str, now: float) -> list[Outgoing]:
        """Send a refusal again, or forget what is over."""
        one = self._open[key]
        if now >= one.ends_at:
            del self._open[key]
            return []
        one.repeat_s = min(2 * one.repeat_s, T2)
        self._timers.set(("transaction", key), min(now + one.repeat_s, one.ends_at) if one.repeat_s else one.ends_at)
        return [Outgoing(one.answer, one.source)]


def _key(request: Request, trunk: str, method: str) -> str:
    """Return what makes a request one: another trunk's never meets it, whatever it says."""
    return "\n".join((trunk, method, request.sent_by, request.branch))

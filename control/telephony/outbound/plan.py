"""What becomes of a call: a function of its record, what is heard of it, and the time; it says what to write. Pure.

Every function returns the record as it is to be then, or None where nothing changes: what comes twice or too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from control.telephony.outbound.call import IN_FLIGHT, OVER, OutboundCall
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.windows import hours
from voicebackend.calls import Attempt, AttemptEnd, CallState, Retry

LEASE_S = 25.0
"""Seconds that a claim to a call lasts, and an order without an answer: then the carrier is asked whether it has it."""
GRACE_S = 15.0
"""Seconds after which a status that did not come is asked for."""
LATER_S = 5.0
"""Seconds between two questions about an attempt that should be over."""
CHECK_S = 120.0
"""Seconds between two questions about an attempt that may go on: a status that got lost holds the trunk no longer."""
SOON_S = 1.0
"""Seconds between two questions to a carrier that tells nothing by itself."""
MAX_ATTEMPTS = 40
"""Of one call, those included that are made again by themselves."""
_AGAIN_S, _MAX_AGAIN_S = 1.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a trunk's calls are looked after."""

    polled: bool = False
    """The carrier tells nothing by itself."""
    max_duration_s: float = 4 * 3600.0
    """Seconds that a conversation may last."""


TRANSITIONS: Mapping[CallState, frozenset[CallState]] = {
    CallState.PLANNED: frozenset({CallState.PLANNED, CallState.DIALLING, CallState.FAILED, CallState.CANCELLED}),
    CallState.DIALLING: frozenset({CallState.RINGING, CallState.IN_PROGRESS, CallState.PLANNED, *OVER}),
    CallState.RINGING: frozenset({CallState.IN_PROGRESS, CallState.PLANNED, *OVER}),
    CallState.IN_PROGRESS: frozenset({CallState.PLANNED, *OVER}),
    CallState.DONE: frozenset(),
    CallState.FAILED: frozenset(),
    CallState.CANCELLED: frozenset(),
}
"""Where a call may go from where; ``due`` is how a planned one is shown whose time has come."""
_STATE: Mapping[Outcome, CallState] = {
    Outcome.RINGING: CallState.RINGING,
    Outcome.ANSWERED: CallState.IN_PROGRESS,
    Outcome.MACHINE: CallState.IN_PROGRESS,
}
"""How far an attempt is that lasts."""
_END: Mapping[Outcome, AttemptEnd] = {
    Outcome.BUSY: AttemptEnd.BUSY,
    Outcome.NO_ANSWER: AttemptEnd.NO_ANSWER,
    Outcome.FAILED: AttemptEnd.FAILED,
    Outcome.CANCELLED: AttemptEnd.CANCELLED,
    Outcome.COMPLETED: AttemptEnd.COMPLETED,
}
"""What became of one that is over."""
_AGAIN = frozenset({AttemptEnd.REFUSED, AttemptEnd.LOST})
"""Ends of attempts that nobody noticed: the next is made without counting as a retry."""


def opening(call: OutboundCall, after: float) -> float | None:
    """Return the first moment from ``after`` on in which the call may begin; None if there is none."""
    found = hours(call.request.windows, call.zones).next_open(datetime.fromtimestamp(after, UTC))
    return None if found is None else found.timestamp()


def may_begin(call: OutboundCall, now: float) -> bool:
    """Tell whether an attempt may begin at this moment."""
    return hours(call.request.windows, call.zones).are_open(datetime.fromtimestamp(now, UTC))


def planned(call: OutboundCall, after: float) -> OutboundCall:
    """Let the next attempt be made from ``after`` on; where no window ever opens, the call has failed."""
    due_at = opening(call, after)
    if due_at is None:
        return over(call, CallState.FAILED, "no_window", after)
    return _moved(call, CallState.PLANNED, due_at=max(due_at, after), look_at=None)


def begun(call: OutboundCall, now: float, session: str = "") -> OutboundCall | None:
    """Begin an attempt: written down before the carrier is told; None if the call is not planned any more."""
    if call.state is not CallState.PLANNED:
        return None
    attempt = Attempt(number=len(call.attempts) + 1, at=now, session=session)
    call = call.with_(attempts=(*call.attempts, attempt))
    return _moved(call, CallState.DIALLING, due_at=None, look_at=now + LEASE_S)


def ordered(call: OutboundCall, attempt: int, carrier_call_id: str, watch: Watch, now: float) -> OutboundCall | None:
    """Note that the carrier has the order; statuses may have come before."""
    current = call.current
    if current is None or current.number != attempt:
        return None
    return watched(call.with_current(carrier_call_id=carrier_call_id), watch, now)


def looked(call: OutboundCall, look_at: float) -> OutboundCall | None:
    """Have the call looked at again then; None if it is not in flight."""
    return call.with_(look_at=look_at) if call.state in IN_FLIGHT else None


def watched(call: OutboundCall, watch: Watch, now: float) -> OutboundCall:
    """Have a call that is in flight looked at again when it should be over, or sooner where that is the only way."""
    current = call.current
    if current is None or call.state not in IN_FLIGHT:
        return call
    if call.cancelling:
        return call.with_(look_at=now)
    if watch.polled:
        return call.with_(look_at=now + SOON_S)
    return call.with_(look_at=max(min(deadline(call, watch), now + CHECK_S), now + LATER_S))


def deadline(call: OutboundCall, watch: Watch) -> float:
    """Return when the attempt that lasts should have been answered, or be over."""
    attempt = call.attempts[-1]
    if attempt.answered_at is None:
        return attempt.at + call.request.max_ring_s + GRACE_S
    return attempt.answered_at + watch.max_duration_s


def heard(call: OutboundCall, status: CallStatus, watch: Watch, now: float) -> OutboundCall | None:
    """Note what a carrier tells of an attempt."""
    current = call.current
    if current is None or status.attempt != current.number:
        return None
    at = min(status.at, now)
    call = call.with_current(
        carrier_call_id=current.carrier_call_id or status.carrier_call_id,
        machine=status.machine if status.machine is not None else current.machine,
        code=status.code or current.code,
    )
    end = _END.get(status.outcome)
    if end is not None:
        return ended(call, _as_answered(call, end), at)
    return watched(_goes_on(call, status.outcome, at), watch, now)


def _as_answered(call: OutboundCall, end: AttemptEnd) -> AttemptEnd:
    """Return the end of an attempt that somebody, or some machine, may have answered."""
    if end is AttemptEnd.COMPLETED or call.state is CallState.IN_PROGRESS:
        hung_up = call.request.on_machine == "hang_up" and call.attempts[-1].machine
        return AttemptEnd.MACHINE if hung_up else AttemptEnd.COMPLETED
    return end


def _goes_on(call: OutboundCall, outcome: Outcome, at: float) -> OutboundCall:
    current, state = call.attempts[-1], _STATE[outcome]
    if outcome is Outcome.MACHINE:
        call = call.with_current(machine=True)
    if state is CallState.RINGING and current.ringing_at is None:
        call = call.with_current(ringing_at=at)
    if state is CallState.IN_PROGRESS and current.answered_at is None:
        call = call.with_current(answered_at=at)
    return _moved(call, state) if state in TRANSITIONS[call.state] else call


def ended(call: OutboundCall, end: AttemptEnd, at: float, *, code: str = "", wait_s: float = 0.0) -> OutboundCall:
    """End the attempt that lasts, and plan the next or end the call.

    ``wait_s`` is how long the carrier wants to be left alone.
    """
    call = call.with_current(outcome=end, ended_at=at, code=code or call.attempts[-1].code)
    if call.cancelling:
        return over(call, CallState.CANCELLED, "cancelled", at)
    if end is AttemptEnd.COMPLETED:
        return over(call, CallState.DONE, str(end), at)
    wait = _wait_s(call, end)
    if wait is None or len(call.attempts) >= MAX_ATTEMPTS:
        state = CallState.DONE if end is AttemptEnd.MACHINE else CallState.FAILED
        return over(call, state, str(end), at)
    return planned(call, at + max(wait, wait_s))


def _wait_s(call: OutboundCall, end: AttemptEnd) -> float | None:
    """Return the seconds until the next attempt; None if there is none."""
    times = sum(1 for attempt in call.attempts if attempt.outcome is end)
    if end in _AGAIN:
        return float(min(_MAX_AGAIN_S, _AGAIN_S * 2 ** (times - 1)))
    retries = call.request.retries
    rules: dict[AttemptEnd, Retry] = {
        AttemptEnd.BUSY: retries.busy,
        AttemptEnd.NO_ANSWER: retries.no_answer,
        AttemptEnd.FAILED: retries.failed,
        AttemptEnd.CANCELLED: retries.failed,  # not by us
        AttemptEnd.MACHINE: retries.machine,
    }
    rule = rules.get(end)
    return None if rule is None or times > rule.count else rule.wait


def cancelled(call: OutboundCall, now: float) -> OutboundCall | None:
    """End the call as its owner wants; one in flight ends once the carrier has been told.

    One that is just being ordered is left alone until the carrier has answered, or has been asked.
    """
    if call.state is CallState.PLANNED:
        return over(call, CallState.CANCELLED, "cancelled", now)
    if call.state not in IN_FLIGHT or call.cancelling:
        return None
    known = call.attempts[-1].carrier_call_id
    return call.with_(cancelling=True, look_at=now if known else call.look_at)


def over(call: OutboundCall, state: CallState, reason: str, at: float) -> OutboundCall:
    """End the call."""
    return _moved(call, state, reason=reason, ended_at=at, due_at=None, look_at=None)


def _moved(call: OutboundCall, state: CallState, **changes: object) -> OutboundCall:
    if state not in TRANSITIONS[call.state]:
        message = f"a call that is {call.state} cannot become {state}"
        raise ValueError(message)
    return call.with_(state=state, **changes)

"""What Twilio's callbacks tell of a call that we make: how far it is, and who answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from control.telephony.carriers.carrier import Told
from control.telephony.carriers.fields import call_id, once
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.carriers.twilio import CALL_SID, OUTCOMES, is_machine
from voicebackend.errors import InvalidFormat
from voicebackend.statuses import code_word

_FIELDS = ("CallSid", "CallStatus", "AnsweredBy", "Timestamp", "SipResponseCode", "ErrorCode")
_GREETING_OVER = ("machine_end", "fax")
"""How ``AnsweredBy`` begins once a machine's greeting is over, or there is nobody to leave a message to."""


def status_of(told: Told, call: str, attempt: int, *, now: float) -> CallStatus | None:
    """Return the status that a callback tells; None where it tells nothing that counts (``initiated``).

    The callback about who answered has no ``CallStatus``: the call is answered then.

    Raises:
        InvalidFormat: it is not about a call, or a field comes twice.

    """
    form = once(told.form, _FIELDS, "twilio")
    sid = call_id(form.get("CallSid"), CALL_SID.pattern, "CallSid", "twilio")
    outcome, machine = _outcome(form)
    if outcome is None:
        return None
    return CallStatus(
        call=call,
        attempt=attempt,
        outcome=outcome,
        carrier_call_id=sid,
        at=_time(form.get("Timestamp"), now),
        machine=machine,
        code=code_word(form.get("SipResponseCode") or form.get("ErrorCode")) or "",
    )


def greeting_is_over(told: Told) -> bool:
    """Tell whether a machine is ready to be spoken to."""
    return dict(told.form).get("AnsweredBy", "").startswith(_GREETING_OVER)


def _outcome(form: Mapping[str, str]) -> tuple[Outcome | None, bool | None]:
    word, machine = form.get("CallStatus"), is_machine(form.get("AnsweredBy"))
    if word is None and "AnsweredBy" not in form:
        raise InvalidFormat("call_status", "twilio: neither CallStatus nor AnsweredBy is there")
    outcome = Outcome.ANSWERED if word is None else OUTCOMES.get(word)
    if machine and outcome is Outcome.ANSWERED:
        outcome = Outcome.MACHINE
    return outcome, machine


def _time(text: str | None, now: float) -> float:
    try:
        return min(now, parsedate_to_datetime(text or "").timestamp())
    except (ValueError, TypeError, OverflowError):
        return now

"""Twilio's callbacks about calls that we make, as statuses."""

from __future__ import annotations

import pytest

from control.telephony.carriers.carrier import Told
from control.telephony.outbound.carrier import Outcome
from control.telephony.outbound.carriers.twilio_status import greeting_is_over, status_of
from voicebackend.errors import InvalidFormat

SID = "CA" + "0" * 32
NOW = 1_800_000_000.0


def told(**fields: str) -> Told:
    """Return a callback."""
    return Told(method="POST", url="https://x", headers={}, form=tuple({"CallSid": SID, **fields}.items()))


@pytest.mark.parametrize(
    ("fields", "outcome", "machine"),
    [
        ({"CallStatus": "ringing"}, Outcome.RINGING, None),
        ({"CallStatus": "in-progress"}, Outcome.ANSWERED, None),
        ({"CallStatus": "in-progress", "AnsweredBy": "machine_start"}, Outcome.MACHINE, True),
        ({"CallStatus": "completed", "AnsweredBy": "machine_start"}, Outcome.COMPLETED, True),
        ({"CallStatus": "busy"}, Outcome.BUSY, None),
        ({"CallStatus": "no-answer"}, Outcome.NO_ANSWER, None),
        ({"CallStatus": "failed"}, Outcome.FAILED, None),
        ({"CallStatus": "canceled"}, Outcome.CANCELLED, None),
        ({"AnsweredBy": "human"}, Outcome.ANSWERED, False),
        ({"AnsweredBy": "machine_end_beep"}, Outcome.MACHINE, True),
        ({"AnsweredBy": "unknown"}, Outcome.ANSWERED, None),
        ({"AnsweredBy": "fax"}, Outcome.MACHINE, True),
    ],
)
def test_a_callback_is_a_status(fields: dict[str, str], outcome: Outcome, machine: bool | None) -> None:
    """Of the attempt that the address names."""
    found = status_of(told(**fields), "c1", 2, now=NOW)
    assert found is not None
    assert (found.call, found.attempt, found.carrier_call_id) == ("c1", 2, SID)
    assert (found.outcome, found.machine, found.at) == (outcome, machine, NOW)


@pytest.mark.parametrize("word", ["queued", "initiated", "whatever comes later"])
def test_what_tells_nothing_is_none(word: str) -> None:
    """Also words that we do not know."""
    assert status_of(told(CallStatus=word), "c1", 1, now=NOW) is None


def test_the_time_is_twilios_but_never_after_ours() -> None:
    """Its clock may differ; what is no time is now."""

    def at(text: str) -> float:
        found = status_of(told(CallStatus="busy", Timestamp=text), "c1", 1, now=NOW)
        assert found is not None
        return found.at

    assert at("Fri, 15 Jan 2027 07:59:00 +0000") == NOW - 60
    assert at("Fri, 15 Jan 2027 08:01:00 +0000") == NOW
    assert at("soon") == NOW


def test_the_reason_is_the_sip_status() -> None:
    """If it is a word; anything else is left out."""
    for given, code in (("486", "486"), ("4 8\n6", ""), ("", "")):
        found = status_of(told(CallStatus="busy", SipResponseCode=given), "c1", 1, now=NOW)
        assert found is not None
        assert found.code == code


@pytest.mark.parametrize("form", [(), (("CallSid", "CA1"),), (("CallSid", SID),), (("CallSid", SID),) * 2])
def test_what_is_about_no_call_is_refused(form: tuple[tuple[str, str], ...]) -> None:
    """A field that comes twice, too."""
    with pytest.raises(InvalidFormat):
        status_of(Told(method="POST", url="https://x", headers={}, form=form), "c1", 1, now=NOW)


def test_a_machine_is_spoken_to_after_its_greeting() -> None:
    """Not while it greets; a human never."""
    assert greeting_is_over(told(AnsweredBy="machine_end_silence"))
    assert not greeting_is_over(told(AnsweredBy="machine_start"))
    assert not greeting_is_over(told(AnsweredBy="human"))

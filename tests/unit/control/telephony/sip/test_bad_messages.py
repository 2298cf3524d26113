"""Bad messages of SIP: none raises, none is answered to anybody but its sender, and the next good one is served."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sip_exchange import ANSWER, OFFER, PHONE, STRANGER, Exchange, code, header, message
from sip_torture import bad_messages

BAD = dict(bad_messages("192.0.2.10"))
SOON_S = 2.0
"""Seconds that one message may take here, where the machine is busy; it takes less than a millisecond."""


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_harms_nobody(name: str) -> None:
    """Neither at the door nor inside of a call; one tag, one answer, and it goes to the sender."""
    exchange = Exchange()
    begun = time.process_time()
    for source in (PHONE, STRANGER):
        for answer in exchange.send(BAD[name], source):
            assert answer.destination == source
            assert header(answer, "To").count(";tag=") <= 1
    assert exchange.ask("OPTIONS", branch="good", cseq=1) == [200]
    assert exchange.call(branch="good-call", call_id="good")
    assert time.process_time() - begun < SOON_S


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("via rport 99999", 400),
        ("via port 0", 400),
        ("via rport -1", 400),
        ("via parameter self", 400),
        ("version 3", 505),
        ("http address", 416),
        ("address with escapes", 400),
        ("CSeq of another method", 400),
        ("CSeq -1", 400),
        ("CSeq 2^64", 400),
        ("From with two tags", 400),
        ("To with tag of no call", 481),
        ("Content-Length too long", 400),
        ("unknown Require", 420),
        ("body of another kind", 415),
        ("REFER to a premium number", 405),
        ("BYE with wrong tags", 481),
        ("ACK outside of a call", None),
        ("NUL in X header", None),
        ("CR in X header", None),
        ("100 headers", None),
        ("header of 9000", None),
        ("response that nobody asked for", None),
    ],
)
def test_what_is_wrong_is_told_by_its_status(name: str, status: int | None) -> None:
    """Or dropped, where there is nothing to answer."""
    answers = [code(answer) for answer in Exchange().send(BAD[name])]
    assert answers == ([] if status is None else [status])


def test_what_the_library_takes_seconds_for_never_reaches_it() -> None:
    """Credentials of 160 bytes and telephone addresses of 4,000 would each stop all calls for seconds."""
    slow = [BAD["slow credentials"], BAD["slow tel address"], BAD["slow tel in From"]]
    exchange = Exchange()
    begun = time.process_time()
    for one in slow:
        exchange.send(one)
    assert time.process_time() - begun < SOON_S


def test_a_name_that_is_written_badly_keeps_nobody_from_calling() -> None:
    """Exchanges put names into From that should be quoted."""
    exchange = Exchange()
    exchange.ring_up(more={"From": "Jürgen Müller (Büro) <sip:+4930123456@192.0.2.10>;tag=theirs"})
    assert exchange.invited[0].caller == "+4930123456"


def test_short_names_and_folded_lines_are_read() -> None:
    """As RFC 3261 allows them."""
    invite = message("INVITE", branch="1", cseq=1, body=OFFER)
    for whole, short in (
        (b"Via:", b"v:"),
        (b"From:", b"f :"),
        (b"To:", b"t:"),
        (b"Call-ID:", b"i:\r\n "),
        (b"CSeq", b"CSEQ"),
    ):
        invite = invite.replace(whole, short)
    exchange = Exchange()
    assert [code(answer) for answer in exchange.send(b"\r\n\r\n" + invite)] == [100]
    assert exchange.invited[0].call_id == "call-1"


@pytest.mark.parametrize("uri", ["sip:+14155550123@h", "sips:+14155550123@h;user=phone", "tel:+14155550123"])
def test_a_number_is_called_by_any_kind_of_address(uri: str) -> None:
    """Its user part is the number."""
    exchange = Exchange()
    invite = message("INVITE", branch="1", cseq=1, body=OFFER).replace(
        b"sip:+14155550123@192.0.2.1 SIP", uri.encode() + b" SIP"
    )
    exchange.send(invite)
    assert exchange.invited[0].called == "+14155550123"


GOOD = [
    message("INVITE", branch="1", cseq=1, body=OFFER),
    message("ACK", branch="2", cseq=1, to_tag="x"),
    message("BYE", branch="3", cseq=2, to_tag="x"),
    message("CANCEL", branch="1", cseq=1),
    message("INFO", branch="4", cseq=2, to_tag="x", body=b"Signal=1", kind="application/dtmf-relay"),
    message("OPTIONS", branch="5", cseq=1),
    message("MESSAGE", branch="6", cseq=1, body=b"hello"),
]
PIECES = [
    b"",
    b"\r\n",
    b"\r\n\r\n",
    b";",
    b"=",
    b"<",
    b">",
    b'"',
    b",",
    b"\x00",
    b"\xff",
    b"99999999999",
    b"tag=",
    b"tel:",
    b"%0d",
    b":",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message with pieces cut out and others put in."""
    data = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 6))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)))
        data = data[:at] + piece + data[at + cut :]
    return data


@settings(max_examples=300, deadline=None)
@given(st.lists(mutated(), min_size=1, max_size=6), st.sampled_from([PHONE, STRANGER]))
def test_mutated_messages_never_raise_and_are_answered_only_to_their_sender(
    messages: list[bytes], source: object
) -> None:
    """At the door, and beside a call whose tags they may have."""
    exchange = Exchange()
    call = exchange.call(branch="live", call_id="live")
    for data in messages:
        for answer in exchange.send(data.replace(b"tag=x", f"tag={call}".encode()), source):  # type: ignore[arg-type]
            assert answer.destination == source
            assert re.match(rb"SIP/2\.0 [1-6]\d\d ", answer.data)
    for invited in exchange.invited:
        exchange.do("accept", invited.call, ANSWER)
    exchange.do("hang_up", call)
    exchange.wait(110)
    exchange.do("hang_up_all")
    exchange.wait(64)
    assert exchange.is_at_rest

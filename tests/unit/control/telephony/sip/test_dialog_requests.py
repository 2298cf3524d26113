"""What the far side asks of a call that it has: other media, keys, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from sip_exchange import ANSWER, OFFER, Exchange, code, codes, header, message

from control.telephony.sip.events import Confirmed, Pressed, Renegotiated


def test_other_media_are_told_and_answered() -> None:
    """Hold, resume, move: a re-INVITE."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("INVITE", branch="hold", cseq=2, to_tag=call, body=b"v=0 hold") == [100]
    assert exchange.events == [Renegotiated(call, b"v=0 hold")]
    (answer,) = exchange.do("answer_again", call, b"v=0 held")
    assert (code(answer), answer.data.endswith(b"v=0 held")) == (200, True)
    assert header(answer, "To").count("tag=") == 1
    assert len(exchange.wait(1)) == 1
    exchange.ask("ACK", branch="ack2", cseq=2, to_tag=call)
    assert exchange.events[-1] == Confirmed(call)


def test_other_media_may_be_refused_and_the_call_goes_on() -> None:
    """488, repeated until its ACK."""
    exchange = Exchange()
    call = exchange.call()
    exchange.ask("INVITE", branch="video", cseq=2, to_tag=call, body=OFFER)
    assert [code(one) for one in exchange.do("refuse", call, 488)] == [488]
    assert exchange.do("answer_again", call, ANSWER) == []
    exchange.ask("ACK", branch="video", cseq=2, to_tag=call)
    assert exchange.wait(10) == []
    assert exchange.agent.calls == 1


def test_other_media_that_nobody_answers_are_refused_in_time() -> None:
    """After 10 s."""
    exchange = Exchange()
    exchange.ask("INVITE", branch="hold", cseq=2, to_tag=exchange.call(), body=OFFER)
    assert codes(exchange.wait(10)) == [(10.0, 500)]


@pytest.mark.parametrize("waits_for", ["answer", "ack"])
def test_a_second_offer_before_the_first_is_done_is_refused(waits_for: str) -> None:
    """491."""
    exchange = Exchange()
    call = exchange.call()
    exchange.ask("INVITE", branch="one", cseq=2, to_tag=call, body=OFFER)
    if waits_for == "ack":
        exchange.do("answer_again", call, ANSWER)
    assert exchange.ask("INVITE", branch="two", cseq=3, to_tag=call, body=OFFER) == [491]


def test_an_update_with_an_offer_is_answered_without_an_ack() -> None:
    """And one without refreshes the call."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("UPDATE", branch="refresh", cseq=2, to_tag=call) == [200]
    assert exchange.ask("UPDATE", branch="hold", cseq=3, to_tag=call, body=b"v=0 hold") == []
    assert [code(one) for one in exchange.do("answer_again", call, ANSWER)] == [200]
    assert exchange.wait(10) == []
    assert exchange.events == [Renegotiated(call, b"v=0 hold")]


def test_a_call_without_an_offer_gets_ours_and_its_answer_comes_with_the_ack() -> None:
    """Delayed offer."""
    exchange = Exchange()
    call = exchange.ring_up(body=b"")
    exchange.do("accept", call, b"v=0 our offer")
    exchange.ask("ACK", branch="ack", cseq=1, to_tag=call, body=b"v=0 their answer")
    assert exchange.events[-1] == Confirmed(call, b"v=0 their answer")


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"Signal= *\r\n", "*"),
        ("application/dtmf-relay", b"signal=11\n", "#"),
        ("application/dtmf-relay; x=y", b"Signal=d", "D"),
        ("application/dtmf", b"7", "7"),
    ],
)
def test_a_key_by_info_is_told(kind: str, body: bytes, digit: str) -> None:
    """In the ways that exchanges write it."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("INFO", branch="key", cseq=2, to_tag=call, body=body, kind=kind) == [200]
    assert exchange.events == [Pressed(call, digit)]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/dtmf-relay", b"Signal=?", 400),
        ("application/dtmf-relay", b"Signal=12", 400),
        ("application/dtmf", b"\xff", 400),
        ("text/plain", b"5", 415),
        ("", b"", 200),
    ],
)
def test_an_info_that_tells_no_key_is_answered_and_not_told(kind: str, body: bytes, status: int) -> None:
    """400, 415, or 200 for one that says nothing."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("INFO", branch="key", cseq=2, to_tag=call, body=body, kind=kind) == [status]
    assert exchange.events == []


def test_a_key_whose_info_comes_again_is_told_once() -> None:
    """A lost answer presses no key."""
    exchange = Exchange()
    call = exchange.call()
    for _ in range(2):
        assert exchange.ask("INFO", branch="key", cseq=2, to_tag=call, body=b"1", kind="application/dtmf") == [200]
    assert exchange.events == [Pressed(call, "1")]


def test_requests_of_a_call_must_count_up() -> None:
    """500 for one that is late."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("OPTIONS", branch="a", cseq=5, to_tag=call) == [200]
    assert exchange.ask("OPTIONS", branch="b", cseq=4, to_tag=call) == [500]


def test_a_call_cannot_be_handed_on_by_whoever_calls() -> None:
    """REFER would have us pay for a premium number."""
    exchange = Exchange()
    call = exchange.call()
    (refused,) = exchange.send(message("REFER", branch="refer", cseq=2, to_tag=call))
    assert code(refused) == 405
    assert "REFER" not in header(refused, "Allow")


def test_a_call_that_asks_without_end_can_only_hang_up() -> None:
    """503 for what is too much; other calls keep their room."""
    exchange = Exchange()
    call = exchange.call()
    about: dict[str, Any] = {"to_tag": call, "body": b"1", "kind": "application/dtmf"}
    statuses = [exchange.ask("INFO", branch=f"key{n}", cseq=2 + n, **about) for n in range(1000)]
    assert statuses == [[200]] * 50 + [[503]] * 950
    assert exchange.ask("BYE", branch="bye", cseq=2000, to_tag=call) == [200]
    assert exchange.agent.transactions < 60

"""Calls by SIP, rule by rule: what is answered, what is told, and what is sent when nobody confirms."""

from __future__ import annotations

from typing import Any

import pytest
from sip_exchange import ANSWER, OFFER, PHONE, Exchange, code, codes, header, message

from control.telephony.sip.events import Confirmed, Ended, EndReason, Invited, Source


def test_an_invite_is_taken_at_once_and_told_with_what_it_says() -> None:
    """The trunk comes from the network; names and numbers are only what it says."""
    exchange = Exchange()
    more = {"X-Lang": "es", "Diversion": "<sip:2@x>", "Subject": "no"}
    call = exchange.ring_up(more=more)
    invited = exchange.events[0]
    assert isinstance(invited, Invited)
    assert (invited.call, invited.call_id, invited.trunk) == (call, "call-1", "main")
    assert (invited.called, invited.caller, invited.offer) == ("+14155550123", "+12025550111", OFFER)
    assert invited.headers == {"x-lang": "es", "diversion": "<sip:2@x>"}


def test_a_call_rings_is_answered_confirmed_and_ended() -> None:
    """The walking path, with nothing left of it."""
    exchange = Exchange()
    call = exchange.ring_up()
    assert [code(one) for one in exchange.do("ring", call)] == [180]
    (accepted,) = exchange.do("accept", call, ANSWER)
    assert accepted.data.endswith(b"\r\n\r\n" + ANSWER)
    assert header(accepted, "Content-Type") == "application/sdp"
    assert header(accepted, "Contact") == "<sip:192.0.2.1:5060>"
    assert exchange.ask("ACK", branch="ack", cseq=1, to_tag=call) == []
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]
    assert exchange.events[1:] == [Confirmed(call), Ended(call, EndReason.BYE)]
    exchange.wait(32)
    assert exchange.is_at_rest


def test_an_answer_goes_where_the_request_came_from_and_says_so() -> None:
    """RFC 3581: whatever Via and Contact say."""
    exchange = Exchange()
    far = Source("192.0.2.77", 41234)
    (trying,) = exchange.send(message("INVITE", branch="1", cseq=1, body=OFFER), far)
    assert trying.destination == far
    assert header(trying, "Via").endswith(";branch=z9hG4bK1;received=192.0.2.77;rport=41234")


def test_every_via_and_record_route_comes_back_in_order() -> None:
    """Proxies on the way find themselves again."""
    exchange = Exchange()
    more = {
        "Via": 'SIP/2.0/UDP a.example;branch=z9hG4bK1;x="1,2";rport, SIP/2.0/UDP b.example;branch=z9hG4bK2',
        "Record-Route": "<sip:p1.example;lr>, <sip:p2.example;lr>",
    }
    call = exchange.ring_up(more=more)
    (accepted,) = exchange.do("accept", call, ANSWER)
    via = 'SIP/2.0/UDP a.example;branch=z9hG4bK1;x="1,2";received=192.0.2.10;rport=5070, '
    assert header(accepted, "Via") == via + "SIP/2.0/UDP b.example;branch=z9hG4bK2"
    assert header(accepted, "Record-Route") == more["Record-Route"]
    exchange.ask("ACK", branch="ack", cseq=1, to_tag=call)
    (bye,) = exchange.do("hang_up", call)
    assert header(bye, "Route") == more["Record-Route"]


def test_an_answer_that_nobody_confirms_is_repeated_and_then_the_call_ends() -> None:
    """At 0.5, 1.5, 3.5 s and so on for 32 s; then BYE."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("accept", call, ANSWER)
    sent = codes(exchange.wait(40))
    answers = [at for at, status in sent if status == 200]
    assert answers == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert [at for at, status in sent if status == 0] == [32.0, 32.5, 33.5, 35.5]
    assert exchange.events[-1] == Ended(call, EndReason.NO_ACK)
    assert exchange.is_at_rest


def test_a_late_ack_stops_the_answer() -> None:
    """As where its network loses 30 %."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("accept", call, ANSWER)
    assert len(exchange.wait(4)) == 3
    exchange.ask("ACK", branch="ack", cseq=1, to_tag=call)
    assert exchange.wait(40) == []
    assert exchange.events[-1] == Confirmed(call)
    assert exchange.agent.calls == 1


@pytest.mark.parametrize("state", ["before", "ringing", "answered", "up"])
def test_an_invite_that_comes_again_gets_the_same_answer_and_is_told_once(state: str) -> None:
    """The last answer, from the transaction."""
    exchange = Exchange()
    invite = message("INVITE", branch="1", cseq=1, body=OFFER)
    last = exchange.send(invite)
    call = exchange.invited[0].call
    if state != "before":
        last = exchange.do("ring", call)
    if state in {"answered", "up"}:
        last = exchange.do("accept", call, ANSWER)
    if state == "up":
        exchange.ask("ACK", branch="ack", cseq=1, to_tag=call)
    assert exchange.send(invite) == last
    assert len(exchange.invited) == 1


def test_a_call_that_comes_by_two_ways_is_taken_once() -> None:
    """482 for the second branch of a fork."""
    exchange = Exchange()
    exchange.ring_up()
    assert exchange.ask("INVITE", branch="fork", cseq=1, body=OFFER) == [482]


def test_a_refusal_is_repeated_until_it_is_confirmed() -> None:
    """And the INVITE that comes again gets it too."""
    exchange = Exchange()
    call = exchange.ring_up()
    assert [code(one) for one in exchange.do("refuse", call, 486)] == [486]
    assert codes(exchange.wait(4)) == [(0.5, 486), (1.5, 486), (3.5, 486)]
    assert exchange.ask("INVITE", branch="invite", cseq=1, body=OFFER) == [486]
    assert exchange.ask("ACK", branch="invite", cseq=1, to_tag=call) == []
    assert exchange.wait(28) == []
    assert exchange.is_at_rest


def test_no_call_has_two_final_answers() -> None:
    """Whatever is commanded after the first."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("accept", call, ANSWER)
    assert exchange.do("refuse", call, 486) == []
    assert exchange.do("accept", call, ANSWER) == []
    assert exchange.do("ring", call) == []


def test_a_call_is_cancelled_while_it_rings() -> None:
    """200 to CANCEL, 487 to INVITE, with one tag for both."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("ring", call)
    cancelled, refused = exchange.send(message("CANCEL", branch="invite", cseq=1))
    assert (code(cancelled), code(refused)) == (200, 487)
    assert header(cancelled, "To") == header(refused, "To")
    assert exchange.events[-1] == Ended(call, EndReason.CANCEL)
    assert exchange.do("accept", call, ANSWER) == []


def test_a_cancel_after_the_answer_changes_nothing() -> None:
    """It is answered, and the call goes on."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("CANCEL", branch="invite", cseq=1) == [200]
    assert exchange.events == []
    assert [code(one) for one in exchange.do("hang_up", call)] == [0]


@pytest.mark.parametrize("parts", [{"branch": "other"}, {"branch": "invite", "call_id": "other"}])
def test_a_cancel_of_nothing_is_told_so(parts: dict[str, Any]) -> None:
    """481; the call rings on."""
    exchange = Exchange()
    exchange.ring_up()
    assert exchange.ask("CANCEL", cseq=1, **parts) == [481]
    assert exchange.agent.calls == 1


@pytest.mark.parametrize("parts", [{"to_tag": "wrong"}, {"from_tag": "wrong"}, {"call_id": "wrong"}])
def test_a_bye_whose_tags_do_not_fit_ends_nothing(parts: dict[str, Any]) -> None:
    """481."""
    exchange = Exchange()
    call = exchange.call()
    assert exchange.ask("BYE", **{"branch": "bye", "cseq": 2, "to_tag": call, **parts}) == [481]
    assert exchange.agent.calls == 1


def test_a_bye_that_comes_again_is_answered_again() -> None:
    """From the transaction, for the call is gone."""
    exchange = Exchange()
    call = exchange.call()
    for _ in range(3):
        assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]
    assert exchange.ask("BYE", branch="another", cseq=3, to_tag=call) == [481]
    assert exchange.events == [Ended(call, EndReason.BYE)]


def test_a_bye_before_the_answer_ends_the_call_too() -> None:
    """200 to BYE, 487 to INVITE."""
    exchange = Exchange()
    call = exchange.ring_up()
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200, 487]
    assert exchange.events[-1] == Ended(call, EndReason.BYE)


def test_a_bye_before_the_answer_is_confirmed_stops_it() -> None:
    """Nothing is sent of a call that is over."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("accept", call, ANSWER)
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]
    assert exchange.wait(40) == []
    assert exchange.is_at_rest


def test_we_hang_up_and_repeat_it_until_it_is_answered() -> None:
    """Nothing is told of an end that we wanted."""
    exchange = Exchange()
    call = exchange.call()
    (bye,) = exchange.do("hang_up", call)
    assert bye.data.startswith(b"BYE sip:phone@192.0.2.10:5070 SIP/2.0\r\n")
    assert bye.destination == PHONE
    assert [at for at, _ in exchange.wait(2)] == [0.5, 1.5]
    assert exchange.send(bye.data.replace(b"BYE sip:phone@192.0.2.10:5070 SIP/2.0", b"SIP/2.0 200 OK")) == []
    assert exchange.agent.calls == 0
    assert exchange.events == []


def test_who_hangs_up_before_the_answer_is_confirmed_waits_for_that() -> None:
    """A caller that does not know our answer yet cannot take its end."""
    exchange = Exchange()
    call = exchange.ring_up()
    exchange.do("accept", call, ANSWER)
    assert exchange.do("hang_up", call) == []
    (bye,) = exchange.send(message("ACK", branch="ack", cseq=1, to_tag=call))
    assert bye.data.startswith(b"BYE ")
    assert Confirmed(call) not in exchange.events


def test_both_may_hang_up_at_once() -> None:
    """Their BYE crosses ours."""
    exchange = Exchange()
    call = exchange.call()
    exchange.do("hang_up", call)
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]
    assert exchange.agent.calls == 0


def test_a_call_that_nobody_answers_is_refused_in_time() -> None:
    """480 after a minute."""
    exchange = Exchange()
    call = exchange.ring_up()
    assert codes(exchange.wait(60)) == [(60.0, 480)]
    assert exchange.events[-1] == Ended(call, EndReason.NO_ANSWER)


def test_a_call_lasts_no_longer_than_it_may() -> None:
    """BYE, and it is told."""
    exchange = Exchange(max_call_s=300)
    call = exchange.call()
    sent = exchange.wait(300)
    assert codes(sent)[0] == (300.0, 0)
    assert exchange.events == [Ended(call, EndReason.TOO_LONG)]
    exchange.wait(32)
    assert exchange.is_at_rest


def test_every_call_is_ended_when_the_process_ends() -> None:
    """480 to what rings, BYE to what talks."""
    exchange = Exchange()
    exchange.call()
    exchange.ring_up(branch="2", call_id="call-2")
    sent = [code(one) for one in exchange.do("hang_up_all")]
    assert sorted(sent) == [0, 480]

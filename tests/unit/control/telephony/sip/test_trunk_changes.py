"""Trunks that come, change and go while calls are up."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from sip_exchange import ANSWER, OFFER, PHONE, STRANGER, TRUNK, Exchange, code

from control.telephony.sip.events import Confirmed, Ended, EndReason, Pressed, Renegotiated, Source
from control.telephony.sip.trunks import TrunkAccess

ELSEWHERE = TrunkAccess((ip_network("198.51.100.0/24"),))


def test_a_new_trunk_is_let_in_and_one_that_is_gone_is_not() -> None:
    """From the change on."""
    exchange = Exchange()
    assert exchange.ask("INVITE", branch="early", cseq=1, body=OFFER, source=STRANGER) == [403]
    exchange.agent.renew({"other": ELSEWHERE})
    assert exchange.ask("INVITE", branch="new", cseq=1, body=OFFER, source=STRANGER) == [100]
    assert exchange.invited[0].trunk == "other"
    assert exchange.ask("INVITE", branch="gone", cseq=1, call_id="x", body=OFFER) == [403]
    assert exchange.agent.is_stranger(PHONE.host)


def test_a_call_goes_on_when_its_trunk_is_gone() -> None:
    """All that may be said in it is heard, and it ends as any call; nothing new begins by that trunk."""
    exchange = Exchange({"main": TRUNK, "other": ELSEWHERE})
    call = exchange.call()
    exchange.agent.renew({"other": ELSEWHERE})
    assert not exchange.agent.is_stranger(PHONE.host)
    assert exchange.ask("INVITE", branch="new", cseq=1, call_id="x", from_tag="x", body=OFFER) == [403]
    assert exchange.ask("OPTIONS", branch="o", cseq=1, call_id="x") == [403]
    assert exchange.ask("INVITE", branch="again", cseq=2, to_tag=call, body=OFFER) == [100]
    assert [code(one) for one in exchange.do("answer_again", call, ANSWER)] == [200]
    assert exchange.ask("INVITE", branch="again", cseq=2, to_tag=call, body=OFFER) == [200]
    assert exchange.ask("ACK", branch="ack", cseq=2, to_tag=call) == []
    key = {"body": b"5", "kind": "application/dtmf"}
    assert exchange.ask("INFO", branch="key", cseq=3, to_tag=call, **key) == [200]
    exchange.agent.renew({"other": ELSEWHERE})
    assert exchange.ask("BYE", branch="bye", cseq=4, to_tag=call) == [200]
    said = [Renegotiated(call, OFFER), Confirmed(call), Pressed(call, "5"), Ended(call, EndReason.BYE)]
    assert exchange.events == said


def test_a_call_that_rings_when_its_trunk_goes_can_be_answered_and_given_up() -> None:
    """The INVITE that comes again, ACK and CANCEL meet what they are of."""
    for ends in ("CANCEL", "ACK"):
        exchange = Exchange()
        call = exchange.ring_up()
        exchange.agent.renew({})
        assert exchange.ask("INVITE", branch="invite", cseq=1, body=OFFER) == [100]
        if ends == "CANCEL":
            assert exchange.ask("CANCEL", branch="invite", cseq=1) == [200, 487]
            assert exchange.ask("ACK", branch="invite", cseq=1, to_tag=call) == []
        else:
            exchange.do("accept", call, ANSWER)
            assert exchange.ask("ACK", branch="ack", cseq=1, to_tag=call) == []
            assert [code(one) for one in exchange.do("hang_up", call)] == [0]
            exchange.send(f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{call}\r\nCSeq: 1 BYE\r\n\r\n".encode())
        exchange.wait(40)
        assert exchange.is_at_rest


def test_a_network_that_moves_to_another_trunk_takes_its_calls_not_with_it() -> None:
    """A call belongs to the trunk by which it came; later ones come by the new."""
    exchange = Exchange()
    call = exchange.call()
    exchange.agent.renew({"moved": TRUNK})
    assert exchange.ask("INVITE", branch="next", cseq=1, call_id="next", body=OFFER) == [100]
    assert exchange.invited[-1].trunk == "moved"
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]


def test_a_changed_secret_counts_from_the_next_call_on() -> None:
    """Who had none before is asked."""
    exchange = Exchange()
    call = exchange.call()
    exchange.agent.renew({"main": replace(TRUNK, user="u", secret="s")})
    assert exchange.ask("INVITE", branch="next", cseq=1, call_id="next", body=OFFER) == [401]
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]


def test_what_a_trunk_had_is_forgotten_once_no_call_needs_it() -> None:
    """However often tables change; and who comes from there is told so no oftener than any stranger."""
    exchange = Exchange()
    call = exchange.call()
    for number in range(100):
        exchange.agent.renew({"main": TrunkAccess((ip_network(f"203.0.113.{number}/32"),))})
        assert not exchange.agent.is_stranger(PHONE.host)
    junk = [exchange.ask("OPTIONS", branch=f"o{number}", cseq=1, call_id="x") for number in range(50)]
    assert junk.count([403]) <= 3
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]
    exchange.wait(33)
    exchange.agent.renew({"main": TrunkAccess((ip_network("203.0.113.0/32"),))})
    assert exchange.agent.is_stranger(PHONE.host)
    assert exchange.agent.is_stranger(Source("203.0.113.7", 1).host)

"""Who may call by SIP: networks, how often, and with what."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from sip_exchange import OFFER, PHONE, STRANGER, TRUNK, Exchange, code, header, message

from control.telephony.sip.events import Asked, Source
from control.telephony.sip.trunks import TrunkAccess, Trunks


@pytest.fixture
def traced() -> Iterator[None]:
    """Have Python count what objects take."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def allocated() -> int:
    """Return how many bytes Python's objects have."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_strangers_are_told_so_a_few_times_and_then_get_silence() -> None:
    """Whoever sets up a trunk sees why; whose address is forged is not flooded."""
    exchange = Exchange()
    answers = [exchange.ask("INVITE", branch=f"b{n}", cseq=1, source=STRANGER) for n in range(1000)]
    assert answers[:2] == [[403], [403]]
    assert answers[2:] == [[]] * 998
    assert exchange.ask("OPTIONS", branch="good", cseq=1) == [200]
    exchange.wait(1)
    assert exchange.ask("OPTIONS", branch="later", cseq=1, source=STRANGER) == [403]
    assert exchange.is_at_rest


def test_a_strangers_answer_is_hardly_longer_than_its_question() -> None:
    """Nobody gains by having us shout at somebody."""
    exchange = Exchange()
    question = message("INVITE", branch="b", cseq=1)
    (answer,) = exchange.send(question, STRANGER)
    assert len(answer.data) < 1.2 * len(question)


@pytest.mark.parametrize("host", ["192.0.2.250", "::ffff:192.0.2.250"])
def test_a_trunk_is_known_by_its_network(host: str) -> None:
    """A socket for both families writes IPv4 addresses its own way."""
    assert Exchange().ask("OPTIONS", branch="b", cseq=1, source=Source(host, 5060)) == [200]


def test_of_networks_that_overlap_the_smallest_counts() -> None:
    """As in routing: the most specific."""
    trunks = Trunks(
        {
            "all": TrunkAccess((ip_network("0.0.0.0/0"),), "u", "s"),
            "some": TrunkAccess((ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))),
            "one": TrunkAccess((ip_network("10.1.2.3/32"),)),
        }
    )
    hosts = ["10.1.2.3", "10.1.2.4", "11.0.0.1", "2001:db8::7", "::1"]
    assert [trunks.named(host) for host in hosts] == ["one", "some", "all", "some", ""]


def test_a_call_belongs_to_its_trunk() -> None:
    """Another trunk's BYE, CANCEL or INVITE with all the right ids meets nothing."""
    other = Source("203.0.113.5", 5060)
    exchange = Exchange({"main": TRUNK, "other": TrunkAccess((ip_network("203.0.113.0/24"),))})
    call = exchange.ring_up()
    assert exchange.ask("CANCEL", branch="invite", cseq=1, source=other) == [481]
    assert exchange.ask("INVITE", branch="invite", cseq=1, body=OFFER, source=other) == [100]
    assert [invited.trunk for invited in exchange.invited] == ["main", "other"]
    exchange.do("accept", call, b"v=0")
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call, source=other) == [481]
    assert exchange.ask("BYE", branch="bye", cseq=2, to_tag=call) == [200]


def test_one_address_may_not_call_too_often() -> None:
    """503 with a time to come back; others are not hurt."""
    exchange = Exchange(invites_per_second=5)
    answers = [exchange.ask("INVITE", branch=f"b{n}", cseq=1, call_id=f"c{n}", body=OFFER) for n in range(10)]
    assert answers == [[100]] * 5 + [[503]] * 5
    (again,) = exchange.send(message("INVITE", branch="b9", cseq=1, call_id="c9", body=OFFER))
    assert (code(again), header(again, "Retry-After")) == (503, "1")
    far = Source("192.0.2.99", 5060)
    assert exchange.ask("INVITE", branch="far", cseq=1, call_id="far", body=OFFER, source=far) == [100]


def test_what_was_refused_for_a_moment_stays_refused_when_it_comes_again() -> None:
    """Two final answers to one request would leave a call that nobody has."""
    exchange = Exchange(max_calls=1)
    call = exchange.ring_up()
    assert exchange.ask("INVITE", branch="two", cseq=1, call_id="two", body=OFFER) == [503]
    exchange.do("refuse", call, 486)
    assert exchange.ask("INVITE", branch="two", cseq=1, call_id="two", body=OFFER) == [503]
    assert exchange.ask("INVITE", branch="three", cseq=1, call_id="three", body=OFFER) == [100]


def test_what_a_refused_call_said_is_not_kept(traced: None) -> None:
    """Only who it was, for 32 s: a flood of long ones costs little."""
    exchange = Exchange(max_calls=1)
    exchange.ring_up()
    before = allocated()
    for number in range(200):
        long = {"body": b"v=0" + bytes(16_000), "more": {"X-Long": "x" * 6_000}}
        assert exchange.ask("INVITE", branch=f"b{number}", cseq=1, call_id=f"c{number}", **long) == [503]
    assert exchange.agent.transactions == 201
    assert allocated() - before < 200 * 4_000
    assert exchange.ask("INVITE", branch="b0", cseq=1, call_id="c0", body=OFFER) == [503]
    assert exchange.ask("CANCEL", branch="b0", cseq=1, call_id="c0") == [200]


@pytest.mark.parametrize(
    ("kind", "size", "more", "answer"),
    [
        ("application/sdp", 16 * 1024 + 1, {}, (413, "Accept", "application/sdp")),
        ("text/plain", 5, {}, (415, "Accept", "application/sdp")),
        ("application/sdp", 5, {"Content-Encoding": "gzip"}, (415, "Accept-Encoding", "identity")),
    ],
)
def test_a_body_that_is_no_offer_is_refused_before_anything_is_done_for_it(
    kind: str, size: int, more: dict[str, str], answer: tuple[int, str, str]
) -> None:
    """It says what would do, counts for nothing and leaves nothing; in a call the call goes on."""
    exchange = Exchange(invites_per_second=1)
    for number in range(3):
        invite = message("INVITE", branch=f"b{number}", cseq=1, body=b"x" * size, kind=kind, more=more)
        (refused,) = exchange.send(invite)
        assert (code(refused), answer[1], header(refused, answer[1])) == answer
    assert exchange.is_at_rest
    call = exchange.call()
    again = message("INVITE", branch="again", cseq=2, to_tag=call, body=b"x" * size, kind=kind, more=more)
    assert [code(one) for one in exchange.send(again)] == [answer[0]]
    assert exchange.agent.calls == 1


@pytest.mark.parametrize("command", ["refuse", "accept", "nothing"])
def test_a_flood_of_calls_that_nobody_confirms_leaves_nothing(command: str) -> None:
    """3,000 junk INVITEs: bounded while they come, and gone 40 s later."""
    exchange = Exchange(invites_per_second=10_000, max_calls=100)
    for number in range(3000):
        exchange.ask("INVITE", branch=f"b{number}", cseq=1, call_id=f"c{number}", body=OFFER)
    assert exchange.agent.calls == 100
    for invited in exchange.invited:
        if command == "refuse":
            exchange.do("refuse", invited.call, 404)
        if command == "accept":
            exchange.do("accept", invited.call, b"v=0")
        if command == "nothing":
            exchange.do("hang_up", invited.call)
    exchange.wait(40)
    assert exchange.is_at_rest


def test_other_requests_are_asked_of_the_deployments_hook() -> None:
    """Its bytes are the answer, also when the request comes again; what is none becomes 405."""
    exchange = Exchange()
    assert exchange.ask("MESSAGE", branch="m", cseq=1, body=b"hello", kind="text/plain") == []
    assert exchange.ask("MESSAGE", branch="m", cseq=1, body=b"hello", kind="text/plain") == []
    (asked,) = exchange.events
    assert isinstance(asked, Asked)
    assert asked.message.endswith(b"hello")
    (reply,) = exchange.do("reply_asked", asked.transaction, b"SIP/2.0 202 Accepted\r\n\r\n")
    assert (reply.data, reply.destination) == (b"SIP/2.0 202 Accepted\r\n\r\n", PHONE)
    assert exchange.ask("MESSAGE", branch="m", cseq=1) == [202]
    assert exchange.do("reply_asked", asked.transaction, b"SIP/2.0 500 Twice\r\n\r\n") == []


@pytest.mark.parametrize(
    "answer", [b"", b"hello", b"SIP/2.0 100 Trying\r\n\r\n", b"SIP/2.0 2", b"INVITE sip:a@b SIP/2.0"]
)
def test_what_the_hook_does_not_answer_is_refused(answer: bytes) -> None:
    """405, which says what may be asked."""
    exchange = Exchange()
    exchange.ask("REGISTER", branch="r", cseq=1)
    (asked,) = exchange.events
    assert isinstance(asked, Asked)
    assert [code(one) for one in exchange.do("reply_asked", asked.transaction, answer)] == [405]


def test_the_hook_has_no_more_requests_at_once_than_it_may() -> None:
    """The rest is told to come back."""
    exchange = Exchange(invites_per_second=1000)
    answers = [exchange.ask("MESSAGE", branch=f"m{n}", cseq=1, call_id=f"c{n}") for n in range(70)]
    assert answers == [[]] * 64 + [[503]] * 6
    exchange.wait(64)
    assert exchange.is_at_rest
    assert exchange.ask("MESSAGE", branch="later", cseq=1) == []

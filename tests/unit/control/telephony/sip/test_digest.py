"""Trunks that are asked who they are: credentials, nonces, and what counts as a call."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import pytest
from sip_exchange import OFFER, TRUNK, Exchange, code, header, message

from control.telephony.sip.events import Invited
from control.telephony.sip.trunks import TrunkAccess

USER, SECRET = "trunk", "correct horse"
ASKING = {"main": TrunkAccess(TRUNK.networks, USER, SECRET)}
HASHES = {"SHA-256": "sha256", "MD5": "md5"}


def credentials(
    challenge: str,
    *,
    user: str = USER,
    secret: str = SECRET,
    count: int = 1,
    method: str = "INVITE",
    uri: str = "sip:+14155550123@192.0.2.1",
) -> str:
    """Return the header that answers a challenge, made without our code."""
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    cnonce, counted = "0a4f113b", f"{count:08x}"

    def hashed(*parts: str) -> str:
        return hashlib.new(HASHES[said["algorithm"]], ":".join(parts).encode()).hexdigest()

    first, second = hashed(user, said["realm"], secret), hashed(method, uri)
    response = hashed(first, said["nonce"], counted, cnonce, "auth", second)
    return (
        f'Digest username="{user}", realm="{said["realm"]}", nonce="{said["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm={said["algorithm"]}, cnonce="{cnonce}", qop=auth, nc={counted}'
    )


def challenges(exchange: Exchange) -> list[str]:
    """Return what an INVITE without credentials is asked."""
    (asked,) = exchange.send(message("INVITE", branch="first", cseq=1, body=OFFER))
    assert code(asked) == 401
    return re.findall(r"WWW-Authenticate: (.*)\r\n", asked.data.decode())


def answered(exchange: Exchange, authorization: str, branch: str = "second") -> list[int]:
    """Send an INVITE with credentials."""
    return exchange.ask("INVITE", branch=branch, cseq=2, body=OFFER, more={"Authorization": authorization})


@pytest.mark.parametrize("which", [0, 1], ids=["MD5", "SHA-256"])
def test_a_trunk_with_a_secret_is_asked_for_it_and_let_in(which: int) -> None:
    """Either way of hashing will do; the ACK of the challenge leaves nothing."""
    exchange = Exchange(ASKING)
    challenge = challenges(exchange)[which]
    assert exchange.ask("ACK", branch="first", cseq=1) == []
    assert exchange.is_at_rest
    assert answered(exchange, credentials(challenge)) == [100]
    assert isinstance(exchange.events[0], Invited)


def test_wrong_credentials_are_asked_for_again() -> None:
    """Without saying what was wrong with them."""
    exchange = Exchange(ASKING)
    challenge = challenges(exchange)[0]
    for number, wrong in enumerate(
        (
            credentials(challenge, secret="guess"),
            credentials(challenge, user="other"),
            credentials(challenge, method="BYE"),
            credentials(challenge).replace("qop=auth, ", ""),
            credentials(challenge).replace("MD5", "SHA-1"),
            credentials(challenge, uri="sip:+19005550123@192.0.2.1"),
            credentials(challenge, uri="sip:192.0.2.1"),
            credentials(challenge, uri="mailto:somebody"),
            credentials(challenge).replace('realm="', 'realm="x'),
            credentials(challenge).replace("nc=0", "nc=-"),
            credentials(challenge) + ", nc=00000002",
            "Basic dHJ1bms6Y29ycmVjdCBob3JzZQ==",
            "Digest " + 'a="b",' * 500,
        )
    ):
        assert answered(exchange, wrong, f"wrong{number}") == [401]
    assert exchange.events == []


def test_credentials_are_good_once() -> None:
    """The count must rise: who overheard them gets nothing by saying them again."""
    exchange = Exchange(ASKING)
    challenge = challenges(exchange)[0]
    assert answered(exchange, credentials(challenge, count=2)) == [100]
    for count in (1, 2):
        more = {"Authorization": credentials(challenge, count=count)}
        (again,) = exchange.send(message("INVITE", branch=f"b{count}", cseq=1, call_id="x", body=OFFER, more=more))
        assert code(again) == 401
        assert "stale=true" in header(again, "WWW-Authenticate")
    more = {"Authorization": credentials(challenge, count=3)}
    assert exchange.ask("INVITE", branch="b3", cseq=1, call_id="y", body=OFFER, more=more) == [100]


def test_credentials_hold_for_who_is_called_whatever_proxies_write_of_the_host() -> None:
    """What was made for one number is good for no other."""
    exchange = Exchange(ASKING)
    challenge = challenges(exchange)[0]
    assert answered(exchange, credentials(challenge, uri="sip:+14155550124@192.0.2.1"), "other") == [401]
    assert answered(exchange, credentials(challenge, uri="sip:+14155550123@sip.example;transport=udp")) == [100]


def test_a_trunk_proves_its_secret_in_the_ways_that_it_has() -> None:
    """Both in the order of its settings; what is not among them is not taken."""
    both = challenges(Exchange(ASKING))
    assert [re.findall("algorithm=(.*)", one) for one in both] == [["MD5"], ["SHA-256"]]
    exchange = Exchange({"main": replace(ASKING["main"], digests=("SHA-256",))})
    (challenge,) = challenges(exchange)
    assert answered(exchange, credentials(challenge.replace("SHA-256", "MD5")), "weaker") == [401]
    assert answered(exchange, credentials(challenge)) == [100]


def test_a_call_counts_once_though_it_is_asked_for_credentials() -> None:
    """The answer to a challenge goes with it; the same nonce again is another call, and wrong ones count too."""
    exchange = Exchange(ASKING, invites_per_second=3)
    asked = [challenges(exchange)[0] for _ in range(3)]
    invites = [{"call_id": f"c{n}", "more": {"Authorization": credentials(one)}} for n, one in enumerate(asked)]
    for number, invite in enumerate(invites):
        assert exchange.ask("INVITE", branch=f"b{number}", cseq=2, body=OFFER, **invite) == [100]
    again = {"Authorization": credentials(asked[0], count=2)}
    assert exchange.ask("INVITE", branch="again", cseq=1, call_id="again", body=OFFER, more=again) == [503]
    guess = {"Authorization": credentials(asked[0], secret="guess", count=2)}
    assert exchange.ask("INVITE", branch="guess", cseq=1, call_id="guess", body=OFFER, more=guess) == [503]


def test_callers_of_one_moment_are_all_let_in() -> None:
    """Each has a challenge of its own to answer, and counts from one."""
    exchange = Exchange(ASKING)
    asked = [challenges(exchange)[0] for _ in range(3)]
    for number, challenge in enumerate(asked):
        more = {"Authorization": credentials(challenge)}
        invite: dict[str, Any] = {
            "branch": f"b{number}",
            "cseq": 2,
            "call_id": f"c{number}",
            "body": OFFER,
            "more": more,
        }
        assert exchange.ask("INVITE", **invite) == [100]


def test_a_nonce_lasts_half_a_minute_and_must_be_ours() -> None:
    """Stale: the caller asks again by itself, with the new one."""
    exchange = Exchange(ASKING)
    challenge = challenges(exchange)[0]
    forged = re.sub(r'nonce="(\d+)-', lambda found: f'nonce="{int(found[1]) + 20}-', challenge)
    assert answered(exchange, credentials(forged), "forged") == [401]
    exchange.wait(31)
    assert answered(exchange, credentials(challenge), "late") == [401]


def test_requests_of_a_call_are_not_asked_again() -> None:
    """Its tags are known to nobody else."""
    exchange = Exchange(ASKING)
    answered(exchange, credentials(challenges(exchange)[0]))
    call = exchange.invited[0].call
    exchange.do("accept", call, b"v=0")
    assert exchange.ask("ACK", branch="ack", cseq=2, to_tag=call) == []
    assert exchange.ask("BYE", branch="bye", cseq=3, to_tag=call) == [200]

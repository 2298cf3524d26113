"""One call's offers and answers."""

from __future__ import annotations

import pytest

from control.telephony.sip.events import Source
from control.telephony.sip.media_address import MediaAddresses
from control.telephony.sip.negotiation import Negotiation
from control.telephony.sip.settings import SipSettings
from voicebackend.errors import InvalidFormat

SETTINGS = SipSettings.model_validate({"listen": ["udp:198.51.100.1:5060"], "media_ports": "20000-20099"})


def offer(formats: str = "0 8 96", *, port: int = 4000, direction: str = "sendrecv", host: str = "192.0.2.7") -> bytes:
    """Return a caller's SDP."""
    begin = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return f"{begin}m=audio {port} RTP/AVP {formats}\r\na=rtpmap:96 telephone-event/8000\r\na={direction}\r\n".encode()


def negotiation() -> Negotiation:
    """Return one with a caller at 192.0.2.7."""
    return Negotiation(SETTINGS, MediaAddresses(Source("192.0.2.7", 5060), []), session=7)


def test_each_of_our_answers_has_the_next_version() -> None:
    """Of one session: who compares sees that something changed (RFC 3264, section 8)."""
    ours = negotiation()
    first = ours.answer(ours.hear(offer()), 20000)
    held = ours.answer(ours.hear(offer(direction="sendonly")), 20000)
    assert b"o=- 7 1 IN IP4 198.51.100.1" in first
    assert b"m=audio 20000 RTP/AVP 0 96" in first
    assert b"o=- 7 2 IN IP4 198.51.100.1" in held
    assert b"a=recvonly" in held
    assert ours.agreed is not None
    assert ours.agreed.on_hold


def test_what_cannot_be_agreed_on_changes_nothing() -> None:
    """The call goes on as it was: another codec, or a third party's address."""
    ours = negotiation()
    before = ours.hear(offer("0 96"))
    for worse in (offer("8"), offer("18"), offer(host="8.8.8.8"), offer(port=0), b"nonsense"):
        with pytest.raises(InvalidFormat):
            ours.hear(worse)
    assert ours.agreed == before
    assert ours.hear(offer(port=4444)).named == ("192.0.2.7", 4444)


def test_an_offer_of_ours_has_all_that_we_can_and_later_only_what_the_call_has() -> None:
    """And its answer is awaited."""
    ours = negotiation()
    assert b"RTP/AVP 0 8 101" in ours.offer(20000)
    assert ours.awaits_answer
    ours.hear(offer("8"))
    assert b"RTP/AVP 8\r\n" in ours.offer(20000)

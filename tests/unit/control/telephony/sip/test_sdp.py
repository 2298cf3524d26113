"""SDP of telephone calls, and the addresses in it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.media_format import MediaFormat
from control.telephony.sip.events import Source
from control.telephony.sip.media_address import MediaAddresses
from control.telephony.sip.sdp import Direction, agreed, answer, offer
from voicebackend.codecs import Encoding
from voicebackend.errors import InvalidFormat

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
BEGIN = ("v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0")
AUDIO = ("m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16")


def body(*lines: str) -> bytes:
    """Return SDP."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_an_offer_is_answered_with_the_first_codec_that_both_have() -> None:
    """And keys in the offerer's payload type."""
    found = agreed(body(*BEGIN, "m=audio 4000 RTP/AVP 9 8 0 96", "a=rtpmap:96 telephone-event/8000"))
    assert found.media == MediaFormat(encoding=Encoding.ALAW, payload_type=8, key_type=96)
    assert found.named == ("192.0.2.7", 4000)
    assert answer(found, ("198.51.100.1", 20000), session=5, version=1).decode().split("\r\n") == [
        "v=0",
        "o=- 5 1 IN IP4 198.51.100.1",
        "s=-",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_what_is_of_no_concern_is_passed_over(ending: str) -> None:
    """Attributes of others, ptime, RTCP on the same port, a codec by number and name, bare line ends."""
    more = ("a=rtcp-mux", "a=rtcp:4001", "a=ptime:30", "a=maxptime:60", "a=rtpmap:97 PCMU/8000/1", "a=ssrc:1 cname:x")
    text = ending.join([*BEGIN, "b=AS:64", "m=audio 4000 RTP/AVP 18 97", "a=rtpmap:18 G729/8000", *more, ""])
    assert agreed(text.encode()).media == MediaFormat(encoding=Encoding.MULAW, payload_type=97)


@pytest.mark.parametrize(
    ("line", "ours", "sends", "hears", "on_hold"),
    [
        ("a=sendrecv", Direction.BOTH, True, True, False),
        ("a=sendonly", Direction.RECEIVE, False, True, True),
        ("a=recvonly", Direction.SEND, True, False, False),
        ("a=inactive", Direction.NONE, False, False, True),
        ("c=IN IP4 0.0.0.0", Direction.BOTH, False, True, True),
    ],
)
def test_hold_is_understood_in_all_its_forms(
    line: str, ours: Direction, sends: bool, hears: bool, on_hold: bool
) -> None:
    """Also the one of old, an address of zeros."""
    found = agreed(body(*BEGIN, *AUDIO, line))
    assert (found.sends, found.hears, found.on_hold) == (sends, hears, on_hold)
    assert f"a={ours}" in answer(found, ("198.51.100.1", 20000), session=1, version=1).decode()


def test_a_direction_of_the_session_holds_for_media_that_say_none() -> None:
    """What media say themselves counts more."""
    assert agreed(body(*BEGIN, "a=inactive", *AUDIO)).on_hold
    assert not agreed(body(*BEGIN, "a=inactive", *AUDIO, "a=sendrecv")).on_hold


def test_media_that_we_do_not_have_are_refused_one_by_one() -> None:
    """In their order, as the offer has them."""
    found = agreed(body(*BEGIN, "m=video 6000 RTP/AVP 31 32", "m=audio 6002 RTP/SAVP 0", *AUDIO, "m=image 7 udptl t38"))
    told = answer(found, ("198.51.100.1", 20000), session=1, version=1).decode()
    media = [line for line in told.split("\r\n") if line.startswith("m=")]
    assert media == [
        "m=video 0 RTP/AVP 31 32",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 20000 RTP/AVP 0 101",
        "m=image 0 udptl t38",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (),
        BEGIN,
        ("m=audio 4000 RTP/AVP 0",),
        (*BEGIN, "m=audio 4000 RTP/SAVP 0"),
        (*BEGIN, "m=audio 4000 UDP/TLS/RTP/SAVPF 0"),
        (*BEGIN, "m=audio 0 RTP/AVP 0"),
        (*BEGIN, "m=audio 99999 RTP/AVP 0"),
        (*BEGIN, "m=audio -1 RTP/AVP 0"),
        (*BEGIN, "m=audio abc RTP/AVP 0"),
        (*BEGIN, "m=audio ４０００ RTP/AVP 0"),
        (*BEGIN, "m=audio 4000 RTP/AVP"),
        (*BEGIN, "m=audio 4000 RTP/AVP 18 9"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G729/8000"),
        (*BEGIN, "m=video 4000 RTP/AVP 0"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 evil.invalid"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 239.1.1.1"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP6 192.0.2.7"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 2130706433"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP4 0x7f.1"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "c=IN IP6 ff02::1"),
        (*BEGIN, "m=audio 4000 RTP/AVP 0", "nonsense"),
        ("v=0", "s=-", "m=audio 4000 RTP/AVP 0"),
        (*BEGIN, *("a=x",) * 400, *AUDIO),
        (*BEGIN, "a=" + "x" * 20_000, *AUDIO),
    ],
)
def test_what_cannot_be_agreed_on_is_refused(lines: tuple[str, ...]) -> None:
    """Encrypted or other media, no port, no address of one machine, no SDP."""
    with pytest.raises(InvalidFormat):
        agreed(body(*lines))


def test_bytes_that_are_no_text_are_refused() -> None:
    """SDP is UTF-8."""
    with pytest.raises(InvalidFormat):
        agreed(b"v=0\r\n\xff\xfe")


def test_a_call_keeps_its_codec_when_it_is_offered_again() -> None:
    """And refuses an offer that takes it away."""
    keep = MediaFormat(encoding=Encoding.ALAW, payload_type=8)
    assert agreed(body(*BEGIN, *AUDIO), keep=keep).media.payload_type == 8
    with pytest.raises(InvalidFormat):
        agreed(body(*BEGIN, "m=audio 4000 RTP/AVP 0"), keep=keep)


def test_what_we_offer_can_be_agreed_on() -> None:
    """By ourselves, in both families."""
    for host, family in (("192.0.2.7", 4), ("2001:db8::7", 6)):
        found = agreed(offer((host, 20000), session=1, version=1), family=family)
        assert found.media == MediaFormat(encoding=Encoding.MULAW, payload_type=0, key_type=101)
        assert found.named == (host, 20000)
        again = agreed(offer((host, 20000), session=1, version=2, keep=found.media), family=family)
        assert again.media == found.media
        with pytest.raises(InvalidFormat, match="IPv"):
            agreed(offer((host, 20000), session=1, version=1), family=10 - family)


@PATIENT
@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_agreed_on(noise: bytes) -> None:
    """Alone or behind a good beginning, nothing else is raised."""
    for text in (noise, body(*BEGIN) + noise, body(*BEGIN, *AUDIO) + noise):
        try:
            found = agreed(text)
        except InvalidFormat:
            continue
        told = answer(found, ("198.51.100.1", 20000), session=1, version=1)
        assert told.count(b"\r\n") == told.count(b"\n") == told.count(b"\r")


HERE = Source("192.0.2.7", 5060)
NETWORKS = [ip_network("198.51.100.0/24"), ip_network("0.0.0.0/0")]
OURS = range(20000, 21000)


@pytest.mark.parametrize(
    ("source", "host", "port", "is_known"),
    [
        (HERE, "192.0.2.7", 4000, True),
        (HERE, "198.51.100.9", 4000, True),
        (HERE, "10.1.2.3", 4000, False),
        (Source("::ffff:192.0.2.7", 5060), "192.0.2.7", 4000, True),
        (Source("127.0.0.1", 5060), "127.0.0.1", 4000, True),
    ],
)
def test_addresses_of_the_caller_are_good_and_private_ones_are_not_sent_to(
    source: Source, host: str, port: int, is_known: bool
) -> None:
    """Behind address translation callers say what they know."""
    addresses = MediaAddresses(source, NETWORKS)
    addresses.check((host, port), OURS)
    assert addresses.vets(host) is is_known


@pytest.mark.parametrize(
    ("source", "host", "port"),
    [
        (HERE, "8.8.8.8", 4000),
        (HERE, "127.0.0.1", 4000),
        (HERE, "169.254.169.254", 4000),
        (HERE, "192.0.2.7", 5060),
        (HERE, "192.0.2.7", 53),
        (Source("127.0.0.1", 5060), "192.0.2.7", 4000),
        (Source("127.0.0.1", 5060), "127.0.0.1", 20002),
    ],
)
def test_third_parties_and_ports_that_are_none_of_media_are_refused(source: Source, host: str, port: int) -> None:
    """Nobody gets our audio who has not asked for it."""
    with pytest.raises(InvalidFormat):
        MediaAddresses(source, NETWORKS).check((host, port), OURS)

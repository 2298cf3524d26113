"""RTP packets: what is written is read again, and whatever comes is a packet or none."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.packet import MAX_DATAGRAM, RtpPacket, parse

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127).filter(lambda number: number not in range(64, 96)),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=500),
    marker=st.booleans(),
)


@PATIENT
@given(PACKETS)
def test_a_packet_that_is_written_reads_the_same(packet: RtpPacket) -> None:
    """Every field, at its bounds too."""
    assert parse(packet.to_bytes()) == packet


@PATIENT
@given(st.binary(max_size=200))
def test_whatever_comes_is_a_packet_or_none(datagram: bytes) -> None:
    """Nothing raises, and no payload is longer than what came."""
    packet = parse(datagram)
    assert packet is None or len(packet.payload) <= len(datagram) - 12


def test_sources_extension_and_padding_are_not_audio() -> None:
    """They stand around the payload."""
    header = bytes([0b1011_0010, 0, 0, 1]) + bytes(8)
    sources, extension = bytes(8), b"\xbe\xde\x00\x01" + bytes(4)
    packet = parse(header + sources + extension + b"sound" + b"\0\0\3")
    assert packet is not None
    assert packet.payload == b"sound"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80" * 11,
        b"\x00\x01\x00\x00" + bytes(16),  # STUN
        b"\x80\xc8\x00\x06" + bytes(24),  # a sender report
        b"\xa0\x00" + bytes(10) + b"\x0d",  # more padding than there is
        b"\xa0\x00" + bytes(10) + b"\x00",  # padding of none
        b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff",  # an extension beyond the end
        b"\x90\x00" + bytes(10),
        b"\x8f\x00" + bytes(10),  # fifteen sources, none there
        b"\x80\x00" + bytes(MAX_DATAGRAM),
    ],
)
def test_what_is_no_packet_is_none(datagram: bytes) -> None:
    """RTCP and STUN on the same port, lengths that lie, and what is too long."""
    assert parse(datagram) is None

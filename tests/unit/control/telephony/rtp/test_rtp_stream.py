"""One call's packets, both ways: the caller's audio among what others send, and ours."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.latch import Latch
from control.telephony.rtp.media_format import MediaFormat
from control.telephony.rtp.packet import MAX_DATAGRAM, Place, RtpPacket
from control.telephony.rtp.rtp_stream import NOTHING, RtpStream
from voicebackend.codecs import Encoding

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
CALLER: Place = ("192.0.2.7", 4000)
OTHERS: list[Place] = [("192.0.2.7", 4002), ("192.0.2.9", 4000), ("203.0.113.5", 4000)]
MEDIA = MediaFormat(encoding=Encoding.MULAW, payload_type=0, key_type=101)
FRAME = 160


def stream(named: Place | None = CALLER) -> RtpStream:
    """Return a stream to a caller in a network of two addresses."""
    latch = Latch(named, lambda host: host.startswith("192.0.2."))
    return RtpStream(MEDIA, latch, ssrc=9, sequence=1, timestamp=1)


def test_all_of_a_callers_audio_is_kept_among_ten_times_as_much_of_others() -> None:
    """From its own machine, its network and anywhere, with its SSRC and its numbers too; and nothing else is heard."""
    ours, noise, kept = stream(), random.Random(1), 0  # noqa: S311 - tests want the same numbers each time
    for number in range(500):
        now, timestamp = number * 0.02, number * FRAME
        for _ in range(10):
            ssrc, sequence = noise.choice([7, noise.getrandbits(32)]), noise.choice([number, noise.getrandbits(16)])
            forged = RtpPacket(noise.choice([0, 101]), sequence, timestamp, ssrc, b"\2" * FRAME)
            assert ours.take(forged.to_bytes(), noise.choice(OTHERS), now) is NOTHING
        heard = ours.take(RtpPacket(0, number, timestamp, 7, b"\1" * FRAME).to_bytes(), CALLER, now)
        assert all(set(audio) == {1} for audio in heard.audio)
        kept += sum(map(len, heard.audio))
    assert kept == 500 * FRAME
    assert ours.latch.rejected == 5000


def test_a_caller_whose_stream_begins_anew_is_heard_again() -> None:
    """After a short silence, with another SSRC and other numbers."""
    ours = stream()
    assert ours.take(RtpPacket(0, 5, 5, 7, b"\1" * FRAME).to_bytes(), CALLER, 0.0).audio
    assert not ours.take(RtpPacket(0, 60_000, 9, 8, b"\2" * FRAME).to_bytes(), CALLER, 0.05).audio
    heard = ours.take(RtpPacket(0, 60_001, 999, 8, b"\3" * FRAME).to_bytes(), CALLER, 2.0)
    assert heard.audio == [b"\3" * FRAME]


def test_what_was_not_agreed_on_is_not_heard_and_leaves_no_gap() -> None:
    """Comfort noise is numbered with the audio; from a stranger it makes nobody the caller."""
    ours = stream(None)
    noise = RtpPacket(13, 2, FRAME, 7, b"\x40")
    assert ours.take(noise.to_bytes(), CALLER, 0.0) is NOTHING
    assert ours.latch.destination is None
    assert ours.take(RtpPacket(0, 1, 0, 7, b"\1" * FRAME).to_bytes(), CALLER, 0.0).audio == [b"\1" * FRAME]
    assert ours.take(noise.to_bytes(), CALLER, 0.02).audio == []
    heard = ours.take(RtpPacket(0, 3, 2 * FRAME, 7, b"\3" * FRAME).to_bytes(), CALLER, 0.04)
    assert b"".join(heard.audio) == b"\xff" * FRAME + b"\3" * FRAME


DATAGRAMS = st.one_of(
    st.binary(max_size=300),
    st.binary(min_size=MAX_DATAGRAM, max_size=MAX_DATAGRAM + 1),
    st.builds(
        lambda *fields: RtpPacket(*fields).to_bytes(),
        st.sampled_from([0, 8, 101]),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 3),
        st.binary(max_size=300),
    ),
)


@PATIENT
@given(st.lists(st.tuples(DATAGRAMS, st.sampled_from([CALLER, *OTHERS]), st.floats(0, 3)), max_size=60))
def test_whatever_comes_nothing_raises_and_no_more_is_heard_than_time_has_gone_by(
    datagrams: list[tuple[bytes, Place, float]],
) -> None:
    """Plus what the packets themselves hold, and one second for each gap."""
    ours, now, size, sent = stream(None), 0.0, 0, 0
    for datagram, place, later in datagrams:
        now, sent = now + later, sent + len(datagram)
        size += sum(map(len, ours.take(datagram, place, now).audio)) + sum(map(len, ours.wait(now)))
    assert size <= sent + now * 8000 + 8000 * len(datagrams)
    assert ours.latch.destination is None or ours.latch.destination[0].startswith("192.0.2.")

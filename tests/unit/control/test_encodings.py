"""Encoded audio in and out: decoded on its way to the lane, encoded on its way to the caller, bounded both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.gateway.downlink import Downlink
from control.gateway.uplink import BURST_S, TooLarge, Uplink
from voicebackend.codecs import Encoding, open_codec
from voicebackend.errors import InvalidFormat, RateLimitExceeded
from voicebackend.events import AudioEnd, Clear, Transcript

END = AudioEnd(turn=1).to_json()
TONE = (8_000 * np.sin(np.arange(8_000) * 2 * np.pi * 440 / 8_000)).astype("<i2").tobytes()
"""A second at 8 kHz."""


@pytest.mark.parametrize(("encoding", "message"), [("mulaw", bytes(161)), ("alaw", bytes(161)), ("opus", b"")])
def test_a_message_becomes_16_khz(encoding: str, message: bytes) -> None:
    """A byte is a sample in G.711, an odd number is fine; an empty message of Opus is a lost packet of 20 ms."""
    frames = Uplink(open_codec(Encoding(encoding), 8_000)).push(message, 0.0)
    assert [len(frame) for frame in frames] == [640]


@pytest.mark.parametrize(
    ("encoding", "message", "error"),
    [
        ("mulaw", bytes(1601), TooLarge),
        ("alaw", bytes(70_000), TooLarge),
        ("opus", bytes(7651), TooLarge),
        ("opus", b"\xff" * 40, InvalidFormat),
        ("opus", b"\x03", InvalidFormat),
        ("pcm16", bytes(3), InvalidFormat),
    ],
)
def test_a_message_that_its_encoding_does_not_allow_is_refused(encoding: str, message: bytes, error: type) -> None:
    """By its length or its content; and the next good one is taken as if nothing had been."""
    uplink = Uplink(open_codec(Encoding(encoding), 8_000))
    with pytest.raises(error) as caught:
        uplink.push(message, 0.0)
    assert type(caught.value) is error
    good = open_codec(Encoding(encoding), 8_000).encode(TONE[:320])[0]
    assert len(uplink.push(good, 0.0)) == 1


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20), st.sampled_from([8_000, 48_000]))
@settings(max_examples=200, deadline=None)
def test_no_bytes_at_all_bring_the_decoder_down(messages: list[bytes], rate: int) -> None:
    """What is no packet is refused, what looks like one is bounded, and a good one is still decoded after all that."""
    uplink = Uplink(open_codec(Encoding.OPUS, rate))
    for message in messages:
        try:
            frames = uplink.push(message, 0.0)
        except InvalidFormat:
            continue
        assert sum(map(len, frames)) <= 2 * 16_000 * 0.2
    assert uplink.push(open_codec(Encoding.OPUS, rate).encode(bytes(rate // 50 * 2))[0], 0.0)


def test_lost_packets_cost_the_callers_allowance_too() -> None:
    """An empty message makes 20 ms of audio: endless ones are a flood."""
    uplink = Uplink(open_codec(Encoding.OPUS, 8_000))
    for _ in range(round(BURST_S / 0.02)):
        uplink.push(b"", 0.0)
    with pytest.raises(RateLimitExceeded):
        uplink.push(bytes(0), 0.0)


def test_plain_pcm_goes_out_as_it_is() -> None:
    """The very same object, not even copied."""
    downlink = Downlink(open_codec(Encoding.PCM16, 16_000))
    assert downlink.messages(TONE) == [TONE]
    assert downlink.messages(TONE)[0] is TONE
    assert downlink.messages(END) == [END]


@pytest.mark.parametrize("encoding", [Encoding.MULAW, Encoding.ALAW])
def test_g711_goes_out_a_byte_a_sample(encoding: Encoding) -> None:
    """Nothing waits, whatever the length."""
    downlink = Downlink(open_codec(encoding, 8_000))
    assert [len(message) for message in downlink.messages(TONE[:346])] == [173]
    assert downlink.messages(END) == [END]


def test_opus_goes_out_in_packets_and_the_turns_end_pushes_the_last_one_out() -> None:
    """50 ms are two packets; the third comes before ``audio_end``, and other texts do not tear a turn apart."""
    downlink, listener = Downlink(open_codec(Encoding.OPUS, 8_000)), open_codec(Encoding.OPUS, 8_000)
    packets = downlink.messages(TONE[:800])
    told = Transcript(role="agent", text='{"type":"audio_end"}', final=False, turn=1).to_json()
    assert len(packets) == 2
    assert downlink.messages(told) == [told]
    *last, end = downlink.messages(END)
    assert end == END
    assert [len(listener.decode(bytes(packet))) for packet in [*packets, *last] if isinstance(packet, bytes)] == [
        320
    ] * 3


def test_what_was_cleared_is_not_heard_in_the_next_turn() -> None:
    """The rest of an interrupted turn is forgotten, and the next one begins with its own audio."""
    downlink = Downlink(open_codec(Encoding.OPUS, 8_000))
    assert downlink.messages(TONE[:318]) == []
    clear = Clear(turn=1).to_json()
    assert downlink.messages(clear) == [clear]
    assert downlink.messages(TONE[:318]) == []

"""Opus: what arrives of speech, how it is cut into packets, and what becomes of broken and lost ones."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snr import segmental_snr_db, sine, snr_db
from voices import recordings

from voicebackend.audio import PIPELINE_RATE, resample
from voicebackend.codecs import Encoding, open_codec
from voicebackend.codecs.opus import MAX_PACKET, RATES
from voicebackend.errors import InvalidConfig, InvalidFormat

SPEECH = recordings()[0].pcm


def packets_of(pcm: bytes, rate: int, *, sizes: list[int] | None = None) -> list[bytes]:
    """Return the packets of an utterance, given to the encoder in pieces of so many samples, in turn."""
    codec, packets, at, turn = open_codec(Encoding.OPUS, rate), [], 0, 0
    while at < len(pcm):
        size = 2 * (sizes[turn % len(sizes)] if sizes else rate // 50)
        packets += codec.encode(pcm[at : at + size])
        at, turn = at + size, turn + 1
    return packets + codec.flush()


def decoded(packets: list[bytes], rate: int) -> bytes:
    """Return what a listener hears."""
    codec = open_codec(Encoding.OPUS, rate)
    return b"".join(map(codec.decode, packets))


@pytest.mark.parametrize("rate", RATES)
def test_speech_arrives_to_the_end_at_10_db_and_8_segment_by_segment(rate: int) -> None:
    """Bounds that a wrong rate, a lost packet or a cut tail would break; the bit rate is about 32 kbit/s."""
    for voice in recordings():
        pcm = resample(voice.pcm, PIPELINE_RATE, rate)
        packets = packets_of(pcm, rate)
        heard = decoded(packets, rate)
        assert snr_db(pcm, heard) > 10
        assert segmental_snr_db(pcm, heard, frame=rate // 50) > 8.5
        assert len(pcm) + 2 * rate * 0.006 < len(heard) < len(pcm) + 2 * rate * 0.05
        assert sum(map(len, packets)) * 8 / (len(packets) * 0.02) == pytest.approx(32_000, rel=0.15)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_arrives_at_20_db(rate: int) -> None:
    """At its level, too."""
    assert snr_db(sine(rate, 440), decoded(packets_of(sine(rate, 440), rate), rate)) > 20


@given(st.lists(st.integers(1, 999), min_size=1, max_size=9))
@settings(max_examples=20, deadline=None)
def test_how_the_stream_was_cut_does_not_show(sizes: list[int]) -> None:
    """The same packets, bit by bit."""
    pcm = SPEECH[:32_000]
    assert packets_of(pcm, PIPELINE_RATE, sizes=sizes) == packets_of(pcm, PIPELINE_RATE)


def test_every_packet_is_20_ms_and_small() -> None:
    """Six frames of 1275 bytes are the most that Opus knows; ours are far below."""
    packets, codec = packets_of(SPEECH, 16_000), open_codec(Encoding.OPUS, 16_000)
    assert {len(codec.decode(packet)) for packet in packets} == {640}
    assert max(map(len, packets)) < 400 < MAX_PACKET


def test_a_lost_packet_is_concealed() -> None:
    """In a vowel the gap is filled with something like what was lost, not with silence; and then all is well again."""
    packets = packets_of(sine(16_000, 440), 16_000)
    lost = [b"" if index == 25 else packet for index, packet in enumerate(packets)]
    assert len(decoded(lost, 16_000)) == len(decoded(packets, 16_000))
    gap = slice(25 * 640, 26 * 640)
    whole, filled = decoded(packets, 16_000), decoded(lost, 16_000)
    assert snr_db(whole[gap] * 8, filled[gap] * 8, max_lag=200) > 3
    assert whole[30 * 640 :] != bytes(len(whole[30 * 640 :]))


def test_one_utterance_does_not_bleed_into_the_next() -> None:
    """After a flush, silence is silent."""
    sender, listener = open_codec(Encoding.OPUS, 16_000), open_codec(Encoding.OPUS, 16_000)
    for packet in [*sender.encode(sine(16_000, 440)[:-400]), *sender.flush()]:
        listener.decode(packet)
    silence = b"".join(map(listener.decode, sender.encode(bytes(6_400))))
    assert max(abs(int.from_bytes(silence[i : i + 2], "little", signed=True)) for i in range(1_280, 6_400, 2)) < 200


@pytest.mark.parametrize("packet", [b"\x03", b"\xff" * 50, b"\x03\xff\xff", bytes(MAX_PACKET + 1)])
def test_what_is_no_packet_is_refused_and_the_stream_goes_on(packet: bytes) -> None:
    """The next good packet is decoded."""
    codec = open_codec(Encoding.OPUS, 16_000)
    with pytest.raises(InvalidFormat):
        codec.decode(packet)
    assert len(codec.decode(packets_of(SPEECH[:640], 16_000)[0])) == 640


@pytest.mark.parametrize("rate", [11_025, 12_000, 44_100])
def test_other_rates_are_refused(rate: int) -> None:
    """The error lists those that Opus has here."""
    with pytest.raises(InvalidFormat, match="8000, 16000, 24000, 48000"):
        open_codec(Encoding.OPUS, rate)


def test_without_its_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the other encodings do without."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opuslib"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidConfig, match=r'pip install "voicebackend\[opus\]"') as caught:
        open_codec(Encoding.OPUS, 48_000)
    assert caught.value.details["field"] == "encoding"
    assert open_codec(Encoding.PCM16, 48_000).encode(b"\x01\x02") == [b"\x01\x02"]

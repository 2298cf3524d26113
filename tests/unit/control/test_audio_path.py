"""What of a caller's voice reaches the worker, and of the agent's the caller, measured through the gateway's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from snr import sine, snr_db
from voices import recordings

from control.gateway.downlink import Downlink
from control.gateway.uplink import Uplink
from voicebackend.audio import PIPELINE_RATE, resample, to_pcm, to_samples
from voicebackend.codecs import Encoding, open_codec
from voicebackend.events import AudioEnd

PATHS = [
    (Encoding.PCM16, 8_000, 65),
    (Encoding.PCM16, 11_025, 65),
    (Encoding.PCM16, 16_000, 199),
    (Encoding.PCM16, 22_050, 65),
    (Encoding.PCM16, 24_000, 65),
    (Encoding.PCM16, 44_100, 65),
    (Encoding.PCM16, 48_000, 65),
    (Encoding.MULAW, 8_000, 36),
    (Encoding.ALAW, 8_000, 36),
    (Encoding.OPUS, 8_000, 12),
    (Encoding.OPUS, 48_000, 12),
]
"""Encoding, rate, and how many dB of noise it may add to speech."""


def band_limited(pcm: bytes) -> bytes:
    """Return 16 kHz speech below 3.3 kHz, which every rate can carry."""
    spectrum = np.fft.rfft(to_samples(pcm).astype(np.float64))
    spectrum[np.fft.rfftfreq(len(pcm) // 2, 1 / PIPELINE_RATE) > 3_300] = 0
    return to_pcm(np.fft.irfft(spectrum, len(pcm) // 2))


def up(pcm: bytes, encoding: Encoding, rate: int, *, step: int) -> bytes:
    """Return what the lane gets of a caller who sends pieces of ``step`` bytes of PCM."""
    phone, uplink = open_codec(encoding, rate), Uplink(open_codec(encoding, rate))
    pieces = [phone.encode(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    messages = [message for piece in [*pieces, phone.flush()] for message in piece]
    frames = [frame for index, message in enumerate(messages) for frame in uplink.push(message, index * 0.02)]
    return b"".join([*frames, *uplink.flush()])


@pytest.mark.parametrize(("encoding", "rate", "least"), PATHS)
def test_the_lane_gets_the_callers_voice(encoding: Encoding, rate: int, least: float) -> None:
    """Every recording, in 20 ms messages, compared with itself at 16 kHz."""
    for voice in recordings():
        wanted = band_limited(voice.pcm)
        assert snr_db(wanted, up(resample(wanted, PIPELINE_RATE, rate), encoding, rate, step=rate // 50 * 2)) > least


@pytest.mark.parametrize(("encoding", "rate", "least"), PATHS)
def test_how_the_caller_cuts_it_shows_in_no_bit(encoding: Encoding, rate: int, least: float) -> None:
    """Odd pieces of samples, as a browser sends them, give the frames that 20 ms pieces give."""
    pcm = resample(recordings()[0].pcm[:48_000], PIPELINE_RATE, rate)
    assert least > 0
    assert up(pcm, encoding, rate, step=2 * 127) == up(pcm, encoding, rate, step=rate // 50 * 2)


@pytest.mark.parametrize(("encoding", "rate", "least"), PATHS)
def test_the_caller_gets_the_agents_voice(encoding: Encoding, rate: int, least: float) -> None:
    """In frames of 20 ms with a short one at the end: to the last sample."""
    agent = resample(band_limited(recordings()[3].pcm), PIPELINE_RATE, rate)
    downlink, phone, step = Downlink(open_codec(encoding, rate)), open_codec(encoding, rate), rate // 50 * 2
    items: list[Any] = [agent[at : at + step] for at in range(0, len(agent), step)]
    sent: list[Any] = [message for item in [*items, AudioEnd(turn=1).to_json()] for message in downlink.messages(item)]
    heard = b"".join(phone.decode(message) for message in sent[:-1])
    assert snr_db(agent, heard) > least
    assert len(heard) >= len(agent)


@pytest.mark.parametrize(("encoding", "least"), [(Encoding.MULAW, 37), (Encoding.ALAW, 37), (Encoding.PCM16, 75)])
def test_a_tone_of_the_telephone_reaches_the_lane(encoding: Encoding, least: float) -> None:
    """At full scale, G.711 and resampling together."""
    tone = sine(8_000, 1_020, amplitude=30_000)
    wanted = sine(PIPELINE_RATE, 1_020, amplitude=30_000)
    assert snr_db(wanted, up(tone, encoding, 8_000, step=320)) > least

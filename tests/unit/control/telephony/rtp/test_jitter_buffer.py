"""A caller's audio put in order."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.jitter_buffer import LONGEST_S, SHORTEST_S, JitterBuffer

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
SILENCE = b"\xff"
FRAME = 160


def frame(number: int) -> bytes:
    """Return 20 ms that can be told from others."""
    return bytes([number % 250]) * FRAME


class Line:
    """Sends numbered frames of 20 ms through a buffer, beginning anywhere."""

    def __init__(self, sequence: int = 65_530, timestamp: int = 0xFFFFFF00) -> None:
        self.buffer = JitterBuffer(SILENCE)
        self._sequence, self._timestamp = sequence, timestamp
        self.heard: list[bytes] = []

    def arrives(self, number: int, now: float) -> None:
        """Have one frame arrive."""
        timestamp = self._timestamp + number * FRAME & 0xFFFFFFFF
        self.buffer.push(self._sequence + number & 0xFFFF, timestamp, frame(number), now)
        self.heard += self.buffer.pull(now)

    def passes(self, begin: float, end: float) -> None:
        """Let time go by."""
        for tick in range(round((end - begin) / 0.02) + 1):
            self.heard += self.buffer.pull(begin + tick * 0.02)

    @property
    def audio(self) -> bytes:
        """All that came out."""
        return b"".join(self.heard)


def test_what_comes_in_order_goes_on_at_once() -> None:
    """Over the wrap of sequence numbers and timestamps."""
    line = Line()
    for number in range(20):
        line.arrives(number, number * 0.02)
        assert len(line.heard) == number + 1
    assert line.heard == [frame(number) for number in range(20)]


def test_what_is_overtaken_is_put_back_and_duplicates_are_dropped() -> None:
    """Nothing is said twice."""
    line = Line()
    for number in (0, 2, 1, 1, 3, 3, 0):
        line.arrives(number, 0.01)
    assert line.heard == [frame(number) for number in range(4)]


def test_what_is_lost_is_concealed_by_as_much() -> None:
    """First by what was there, then by silence; what follows is not held up for longer than it must be."""
    line = Line()
    line.arrives(0, 0.0)
    line.arrives(3, 0.06)
    assert line.heard == [frame(0)]
    line.heard += line.buffer.pull(0.06 + SHORTEST_S + 0.01)
    assert line.audio == frame(0) + frame(0) + SILENCE * FRAME + frame(3)
    assert line.buffer.lost == 2
    line.arrives(1, 0.11)
    assert line.audio == frame(0) + frame(0) + SILENCE * FRAME + frame(3)
    assert line.buffer.late == 1


def test_where_nothing_comes_silence_does_and_counts_when_it_goes_on() -> None:
    """A sender that is silent sends nothing, and numbers its audio on: the gap is filled once, not twice."""
    line = Line()
    line.arrives(0, 0.0)
    line.passes(0.0, 1.0)
    filled = len(line.audio) - FRAME
    assert 0.85 * 8000 <= filled <= 8000
    line.buffer.push(65_531, 0xFFFFFF00 + FRAME * 50 & 0xFFFFFFFF, frame(7), 1.0)
    line.heard += line.buffer.pull(1.0)
    assert len(line.audio) == FRAME * 51
    assert line.audio.endswith(frame(7))


def test_a_network_that_stood_still_loses_nothing() -> None:
    """What comes late all together is still said, in order."""
    line = Line()
    line.arrives(0, 0.0)
    line.passes(0.0, 0.5)
    for number in range(1, 26):
        line.arrives(number, 0.52)
    said = [audio for audio in line.heard if audio.strip(SILENCE)]
    assert said == [frame(number) for number in range(26)]


def test_packets_without_audio_leave_no_gap() -> None:
    """Keys are numbered with the audio around them."""
    buffer = JitterBuffer(SILENCE)
    buffer.push(1, 0, frame(1), 0.0)
    for number in range(2, 7):
        buffer.push(number, 160, b"", 0.02 * number)
    buffer.push(7, 160 * 6, frame(2), 0.14)
    heard = buffer.pull(0.14)
    assert b"".join(heard) == frame(1) + SILENCE * FRAME * 5 + frame(2)
    assert buffer.lost == 0


def test_a_stream_that_begins_anew_is_followed_and_one_stray_packet_is_not() -> None:
    """Two in a row far away are a new beginning."""
    line = Line(sequence=100)
    line.arrives(0, 0.0)
    line.arrives(20_000, 0.02)
    assert line.heard == [frame(0)]
    line.arrives(20_001, 0.04)
    line.arrives(20_002, 0.06)
    assert [audio for audio in line.heard if audio.strip(SILENCE)] == [frame(0), frame(20_001), frame(20_002)]


def test_patience_grows_with_unevenness_within_its_bounds() -> None:
    """From 40 to 200 ms, and back."""
    line = Line()
    assert line.buffer.patience_s == SHORTEST_S
    for number in range(100):
        line.arrives(number, number * 0.02 + (0.08 if number % 2 else 0.0))
    assert line.buffer.patience_s == LONGEST_S
    for number in range(100, 400):
        line.arrives(number, number * 0.02)
    assert line.buffer.patience_s < 0.06


@pytest.mark.parametrize("drift", [0.999, 1.001])
def test_clocks_that_drift_neither_lose_nor_add_audio(drift: float) -> None:
    """Ten minutes at a thousandth off."""
    line = Line()
    for number in range(30_000):
        line.arrives(number, number * 0.02 * drift)
    assert len(line.heard) == 30_000
    assert line.buffer.lost == 0


ARRIVALS = st.lists(st.tuples(st.floats(0, 0.3), st.booleans()), min_size=1, max_size=120)


@PATIENT
@given(ARRIVALS)
def test_whatever_the_network_does_each_sample_comes_once_and_in_order(arrivals: list[tuple[float, bool]]) -> None:
    """Delays to 300 ms, losses, duplicates: frames come out in order, none twice, and time is kept."""
    sent = [(number * 0.02 + delay, number) for number, (delay, is_lost) in enumerate(arrivals) if not is_lost]
    line = Line()
    for now, number in sorted(sent):
        line.arrives(number, now)
        line.arrives(number, now)
    end = len(arrivals) * 0.02 + 0.3
    line.passes(end, end + 1)
    line.heard += line.buffer.pull(end + 2)
    heard = [audio[0] for audio in line.heard if len(audio) == FRAME and audio.strip(SILENCE)]
    real = [one for index, one in enumerate(heard) if not index or one != heard[index - 1]]
    assert real == sorted(real)
    assert set(real) <= {number for _, number in sent}


@PATIENT
@given(ARRIVALS)
def test_what_is_late_by_less_than_the_least_patience_is_never_lost(arrivals: list[tuple[float, bool]]) -> None:
    """And nothing that was lost holds up what came for longer than the most."""
    sent = sorted((number * 0.02 + delay * 0.13, number) for number, (delay, _) in enumerate(arrivals))
    line = Line()
    first = sent[0][1]
    for now, number in sent:
        line.arrives(number, now)
    line.passes(sent[-1][0], sent[-1][0] + LONGEST_S)
    heard = [audio for audio in line.heard if audio.strip(SILENCE)]
    assert heard == [frame(number) for number in range(first, len(arrivals))]


@PATIENT
@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=400)), max_size=200))
def test_nonsense_neither_raises_nor_piles_up(packets: list[tuple[int, int, bytes]]) -> None:
    """Numbers and timestamps at random."""
    buffer, size = JitterBuffer(SILENCE), 0
    for number, (sequence, timestamp, payload) in enumerate(packets):
        buffer.push(sequence, timestamp, payload, number * 0.02)
        size += sum(map(len, buffer.pull(number * 0.02)))
    assert size <= sum(len(payload) for _, _, payload in packets) + 8000 * (len(packets) + 1)

"""Keys of a telephone in RTP."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.telephone_event import KEYS, KeyReader

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
STEP = 160


def packets(key: str, begun: int, *, steps: int = 5, repeats: int = 3) -> list[tuple[bytes, int]]:
    """Return a press as senders tell it: growing durations, and the end three times."""
    durations = [(step * STEP, 0) for step in range(1, steps + 1)] + [(steps * STEP, 0x80)] * repeats
    return [(struct.pack("!BBH", KEYS.index(key), end | 10, duration), begun) for duration, end in durations]


PRESSES = st.lists(st.tuples(st.sampled_from(KEYS), st.sets(st.integers(0, 7), max_size=7)), max_size=30)


@PATIENT
@given(PRESSES, st.integers(0, 0xFFFFFFFF))
def test_each_press_is_told_once_whatever_is_lost_of_it(presses: list[tuple[str, set[int]]], begin: int) -> None:
    """As long as one packet comes; packets may come twice."""
    reader, heard = KeyReader(), []
    for number, (key, lost) in enumerate(presses):
        for index, (payload, timestamp) in enumerate(packets(key, begin + number * 2000 & 0xFFFFFFFF)):
            if index not in lost:
                heard += [reader.read(payload, timestamp), reader.read(payload, timestamp)]
    assert "".join(key for key in heard if key) == "".join(key for key, _ in presses)


def test_what_is_late_of_an_earlier_press_is_no_new_one() -> None:
    """Order among packets is not kept by networks."""
    reader = KeyReader()
    one, two = packets("1", 1000), packets("2", 5000)
    heard = [reader.read(*packet) for packet in (one[0], two[0], one[-1], two[-1], one[1])]
    assert [key for key in heard if key] == ["1", "2"]


def test_a_key_held_down_for_long_is_one_press() -> None:
    """Its duration does not fit a packet, so it is told in parts (RFC 4733, section 2.5.1.3)."""
    reader = KeyReader()
    first = struct.pack("!BBH", 5, 10, 0xFFFF)
    then = struct.pack("!BBH", 5, 0x8A, 800)
    assert reader.read(first, 100) == "5"
    assert reader.read(then, 100 + 0xFFFF) is None
    assert reader.read(struct.pack("!BBH", 5, 10, 160), 100 + 0xFFFF + 800) == "5"


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x05\x0a\x00", bytes([16, 10, 0, 160]), bytes([200, 10, 0, 160])])
def test_short_payloads_and_other_events_are_no_keys(payload: bytes) -> None:
    """A flash hook, a tone, a packet that was cut."""
    reader = KeyReader()
    assert reader.read(payload, 1) is None
    assert reader.read(*packets("7", 2000)[0]) == "7"


@PATIENT
@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, 0xFFFFFFFF)), max_size=60))
def test_nonsense_is_a_key_or_nothing(received: list[tuple[bytes, int]]) -> None:
    """Nothing raises."""
    reader = KeyReader()
    assert all(reader.read(*packet) in {None, *KEYS} for packet in received)

"""Whose packets are the caller's."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.latch import FIRST_S, QUIET_S, RENEWS_S, SILENCE_S, Latch
from control.telephony.rtp.packet import Place

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
NAMED: Place = ("192.0.2.7", 4000)
BEHIND: Place = ("192.0.2.7", 61000)
OTHER: Place = ("192.0.2.9", 4000)
STRANGER: Place = ("203.0.113.5", 4000)


def known(host: str) -> bool:
    """Tell whether an address may have to do with the call."""
    return host.startswith("192.0.2.")


def test_before_anybody_is_heard_audio_goes_where_sdp_says_if_that_is_known() -> None:
    """And to nobody, if it is not."""
    assert Latch(NAMED, known).destination == NAMED
    assert Latch(STRANGER, known).destination is None
    assert Latch(None, known).destination is None


def test_who_is_heard_first_is_kept() -> None:
    """Another place and another SSRC are rejected, and counted."""
    latch = Latch(("10.0.0.5", 4000), known)
    assert latch.admits(BEHIND, 1, 0.0)
    assert latch.destination == BEHIND
    assert not latch.admits(OTHER, 2, 0.1)
    assert not latch.admits(BEHIND, 2, QUIET_S - 0.01)
    assert latch.rejected == 2
    assert latch.admits(BEHIND, 1, 0.2)


def test_a_stranger_is_never_heard_or_sent_to() -> None:
    """Not first, not after silence, not if SDP names it."""
    latch = Latch(STRANGER, known)
    assert not latch.admits(STRANGER, 1, 0.0)
    assert latch.destination is None
    assert latch.admits(BEHIND, 1, 1.0)
    assert not latch.admits(STRANGER, 1, 100.0)
    assert latch.destination == BEHIND


def test_the_place_that_signalling_named_is_waited_for_and_wins() -> None:
    """For half a second nobody else is heard; who is heard then, is so until the named place speaks."""
    latch = Latch(NAMED, known)
    assert not latch.admits(OTHER, 2, 5.0)
    assert latch.destination == NAMED
    assert not latch.admits(OTHER, 2, 5.0 + FIRST_S - 0.01)
    assert latch.admits(OTHER, 2, 5.0 + FIRST_S)
    assert latch.admits(NAMED, 1, 6.0)
    assert not latch.admits(OTHER, 2, 6.1)


def test_after_silence_a_caller_may_come_from_elsewhere_and_come_back() -> None:
    """As when its network changes; who used a pause to get in goes when the caller speaks."""
    latch = Latch(None, known)
    assert latch.admits(BEHIND, 1, 0.0)
    assert not latch.admits(OTHER, 2, SILENCE_S - 0.1)
    assert latch.admits(OTHER, 2, SILENCE_S)
    assert latch.admits(BEHIND, 1, SILENCE_S + 0.1)
    assert not latch.admits(OTHER, 2, SILENCE_S + 0.2)


def test_another_ssrc_at_the_callers_place_is_heard_once_the_first_is_quiet() -> None:
    """As when a carrier transfers the call; it is sent to the same place, and others are as far away as before."""
    latch = Latch(NAMED, known)
    for number in range(50):
        assert latch.admits(NAMED, 1, number * 0.02)
    assert not latch.admits(NAMED, 2, 0.98 + QUIET_S - 0.01)
    assert latch.admits(NAMED, 2, 0.98 + QUIET_S + 0.01)
    assert latch.admits(NAMED, 2, 1.2)
    assert not latch.admits(OTHER, 2, 1.2 + QUIET_S + 0.01)


def test_who_forges_the_callers_place_in_a_pause_goes_when_the_caller_speaks() -> None:
    """However often it tries: the SSRC that was there first wins."""
    latch = Latch(NAMED, known)
    assert latch.admits(NAMED, 1, 0.0)
    for number in range(1, 6):
        assert latch.admits(NAMED, 6 + number, number - 0.5)
        assert latch.admits(NAMED, 1, number - 0.48)
        assert not latch.admits(NAMED, 6 + number, number - 0.46)


def test_when_signalling_speaks_another_ssrc_is_heard_at_once_and_only_one() -> None:
    """A re-INVITE that names the same place, as a transfer has; the first wins until it is gone for two seconds."""
    latch = Latch(NAMED, known)
    assert latch.admits(NAMED, 1, 0.0)
    latch.rename(NAMED, 0.0)
    assert not latch.admits(OTHER, 3, 0.01)
    assert latch.admits(NAMED, 2, 0.02)
    assert not latch.admits(NAMED, 3, 0.03)
    assert latch.admits(NAMED, 1, 0.04)
    assert latch.admits(NAMED, 2, 0.05 + QUIET_S)
    assert latch.admits(NAMED, 2, 0.05 + SILENCE_S)
    assert not latch.admits(NAMED, 1, 0.06 + SILENCE_S)


def test_what_signalling_said_long_ago_lets_nobody_in() -> None:
    """Calls are refreshed now and then: who forges the caller's place cannot wait for that."""
    latch = Latch(NAMED, known)
    latch.rename(NAMED, 0.0)
    assert latch.admits(NAMED, 1, 0.0)
    latch.rename(NAMED, 10.0)
    assert latch.admits(NAMED, 1, 10.0 + RENEWS_S)
    assert not latch.admits(NAMED, 2, 10.01 + RENEWS_S)


def test_another_place_in_sdp_opens_the_latch_and_the_same_does_not() -> None:
    """A hold that names the same place again lets nobody in."""
    latch = Latch(NAMED, known)
    latch.admits(BEHIND, 1, -1.0)
    assert latch.admits(BEHIND, 1, 0.0)
    latch.rename(NAMED, 0.05)
    assert not latch.admits(OTHER, 2, 0.1)
    latch.rename(OTHER, 0.15)
    assert latch.destination == OTHER
    assert latch.admits(OTHER, 2, 0.2)


SENDERS = st.one_of(
    st.tuples(st.sampled_from([BEHIND, OTHER, STRANGER, ("192.0.2.7", 4001)]), st.integers(0, 3)),
    st.tuples(st.just(NAMED), st.integers(2, 3)),
)
"""Some forge the caller's place."""


@PATIENT
@given(st.lists(st.lists(SENDERS, max_size=8), min_size=1, max_size=50))
def test_whoever_sends_beside_the_caller_nothing_of_the_caller_is_lost(beside: list[list[tuple[Place, int]]]) -> None:
    """At the place that SDP names, with any number of injected packets between two of its own, also from that place."""
    latch = Latch(NAMED, known)
    for number, others in enumerate(beside):
        assert latch.admits(NAMED, 1, number * 0.02)
        for place, ssrc in others:
            assert not latch.admits(place, ssrc, number * 0.02 + 0.01)
        assert latch.destination == NAMED


@PATIENT
@given(st.lists(st.tuples(SENDERS, st.floats(0, 5)), max_size=50))
def test_never_is_anything_sent_to_an_address_that_is_not_known(packets: list[tuple[tuple[Place, int], float]]) -> None:
    """Whatever comes, whenever."""
    latch, now = Latch(STRANGER, known), 0.0
    for (place, ssrc), later in packets:
        now += later
        latch.admits(place, ssrc, now)
        assert latch.destination is None or known(latch.destination[0])

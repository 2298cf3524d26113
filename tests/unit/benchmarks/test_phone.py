"""The benchmark's telephone, which decides until when an interrupted agent was heard."""

from __future__ import annotations

from benchmarks.phone import Phone


def speaking(seconds: float = 0.2) -> Phone:
    """Return a phone that got this much audio at second 10."""
    phone = Phone()
    phone.hear(seconds, 10.0)
    return phone


def test_it_plays_what_it_has_and_falls_silent() -> None:
    """Audio that comes in time is played behind what is there."""
    phone = speaking()
    phone.hear(0.1, 10.15)
    assert (phone.first, round(phone.silent_at, 3), phone.late) == (10.0, 10.3, 0)


def test_what_comes_after_the_buffer_ran_dry_is_late_within_a_reply_only() -> None:
    """Between replies there is silence, and that is as it should be."""
    phone = speaking()
    phone.hear(0.1, 10.3)
    assert phone.late == 1
    phone.expect_reply()
    phone.hear(0.1, 20.0)
    assert (phone.late, phone.first, phone.frames) == (1, 20.0, 3)


def test_clear_ends_it_at_once() -> None:
    """Unless it had ended already."""
    phone = speaking()
    phone.clear(10.05)
    assert phone.silent_at == 10.05
    phone.clear(11.0)
    assert phone.silent_at == 10.05


def test_a_pause_freezes_and_resume_goes_on_where_it_was() -> None:
    """What comes meanwhile waits behind what was frozen."""
    phone = speaking()
    phone.pause(10.05)
    phone.hear(0.1, 10.5)
    assert (phone.silent_at, phone.late) == (10.05, 0)
    phone.resume(11.05)
    assert round(phone.silent_at, 3) == 11.3


def test_a_pause_that_was_meant_ends_when_it_began() -> None:
    """The agent was last heard when it was held, not when it was dropped."""
    phone = speaking()
    phone.pause(10.05)
    phone.clear(10.4)
    assert phone.silent_at == 10.05

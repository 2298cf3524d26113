"""What becomes of sounds that the server says nothing of."""

from __future__ import annotations

from providers.vocode.sounds import WAIT_S, Sounds


def made(seconds: float) -> Sounds:
    """Return them after a sound of so many seconds, and 0.2 s of silence."""
    sounds = Sounds()
    sounds.started(0.0)
    sounds.stopped(seconds + 0.2, 0.2)
    return sounds


def test_a_cough_was_nothing() -> None:
    """Once its words did not come in time; it is told once."""
    sounds = made(0.3)
    assert not sounds.passed(0.5 + WAIT_S - 0.01)
    assert sounds.passed(0.5 + WAIT_S)
    assert not sounds.passed(100.0)


def test_a_long_sound_that_nothing_follows_is_left_open() -> None:
    """Nobody may be listening."""
    sounds = made(1.5)
    assert not sounds.passed(1.7 + WAIT_S)
    assert sounds.due is None


def test_a_long_sound_over_a_bot_that_goes_on_was_nothing() -> None:
    """The server is well, and has heard it."""
    sounds = made(1.5)
    sounds.came()
    assert sounds.passed(1.7 + WAIT_S)


def test_words_are_something() -> None:
    """Nothing is to be told of them."""
    sounds = made(0.3)
    sounds.understood()
    assert sounds.due is None
    assert not sounds.passed(100.0)


def test_who_goes_on_has_not_stopped() -> None:
    """The sound is as long as both together."""
    sounds = made(0.3)
    sounds.started(0.6)
    assert sounds.due is None
    sounds.stopped(1.4, 0.2)
    assert not sounds.passed(1.4 + WAIT_S)

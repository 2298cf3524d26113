"""What a Pipecat server tells of the caller."""

from __future__ import annotations

from providers.pipecat.caller import CallerSide
from voicebackend.interfaces import S2sEvent

STARTED, STOPPED = S2sEvent(kind="speech_started"), S2sEvent(kind="speech_stopped")


def text(words: str, *, final: bool = False) -> S2sEvent:
    """Return what is understood."""
    return S2sEvent(kind="user_text", text=words, final=final)


def test_words_that_come_before_the_end_are_final_with_it() -> None:
    """A recogniser's finals are parts of the turn."""
    caller = CallerSide()
    found = caller.started() + caller.said("one", final=False) + caller.said("one two.", final=True)
    found += caller.said("three", final=False) + caller.said("Three.", final=True) + caller.stopped()
    partials = [text("one"), text("one two."), text("one two. three"), text("one two. Three.")]
    assert found == [STARTED, *partials, STOPPED, text("one two. Three.", final=True)]


def test_words_that_come_after_the_end_are_final_at_once() -> None:
    """Recognisers take their time."""
    caller = CallerSide()
    found = caller.started() + caller.stopped() + caller.said("hello", final=True)
    assert found == [STARTED, STOPPED, text("hello", final=True)]


def test_more_words_are_another_turn() -> None:
    """None is lost, and none is told twice."""
    caller = CallerSide()
    caller.started()
    caller.said("hello", final=True)
    caller.stopped()
    assert caller.said("there", final=True) == [text("there", final=True)]


def test_news_that_is_none_is_not_told() -> None:
    """Servers repeat themselves."""
    caller = CallerSide()
    assert caller.stopped() == []
    assert caller.started() == [STARTED]
    assert caller.started() == []
    assert caller.stopped() == [STOPPED]
    assert caller.stopped() == []


def test_who_begins_again_before_being_understood_has_a_new_turn() -> None:
    """What was not understood of the one before stays so."""
    caller = CallerSide()
    caller.started()
    caller.stopped()
    assert caller.started() == [STARTED]
    caller.said("again", final=True)
    assert caller.stopped() == [STOPPED, text("again", final=True)]

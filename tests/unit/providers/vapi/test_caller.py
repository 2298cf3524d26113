"""What is told of the caller."""

from __future__ import annotations

from providers.vapi.caller import Caller
from providers.vapi.codec import Speech, Words
from voicebackend.interfaces import S2sEvent

STARTED, STOPPED = Speech("user", started=True), Speech("user", started=False)


def shown(events: list[S2sEvent]) -> list[tuple[str, str, bool]]:
    """Return what matters."""
    return [(event.kind, event.text, event.final) for event in events]


def test_words_are_final_once_the_caller_has_stopped() -> None:
    """Several finished pieces make one text."""
    caller = Caller()
    found = caller.speech(STARTED) + caller.words(Words("user", "one", final=False))
    found += caller.words(Words("user", "one two", final=True)) + caller.words(Words("user", "three", final=True))
    assert shown(found + caller.speech(STOPPED)) == [
        ("speech_started", "", False),
        ("user_text", "one", False),
        ("user_text", "one two", False),
        ("user_text", "one two three", False),
        ("speech_stopped", "", False),
        ("user_text", "one two three", True),
    ]


def test_words_that_come_late_are_final_at_once() -> None:
    """As most do."""
    caller = Caller()
    caller.speech(STARTED)
    assert shown(caller.speech(STOPPED)) == [("speech_stopped", "", False)]
    assert shown(caller.words(Words("user", "one", final=True))) == [("user_text", "one", True)]


def test_words_that_are_being_answered_are_final() -> None:
    """Though nobody has said that the caller stopped."""
    caller = Caller()
    caller.speech(STARTED)
    caller.words(Words("user", "one", final=True))
    assert shown(caller.answered()) == [("user_text", "one", True)]
    assert caller.answered() == []


def test_what_is_told_twice_counts_once() -> None:
    """Beginning and end."""
    caller = Caller()
    assert len(caller.speech(STARTED) + caller.speech(STARTED)) == 1
    assert len(caller.speech(STOPPED) + caller.speech(STOPPED)) == 1

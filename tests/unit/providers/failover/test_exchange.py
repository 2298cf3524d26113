"""What is noted of a conversation with a model, and what the next one is given of it."""

from __future__ import annotations

import pytest

from providers.failover.backlog import Backlog
from providers.failover.exchange import Exchange
from providers.failover.memory import Memory
from providers.failover.waiting import Waiting
from voicebackend.agents import HistoryEntry
from voicebackend.interfaces import S2sEvent

RATE = 16_000
SECOND = bytes(2 * RATE)
LOUD = b"\x10\x20\xf0\xdf" * 160


def exchange(*, answers: bool = True) -> Exchange:
    """Return one that waits 4 s for an answer."""
    return Exchange((), answers=answers, sample_rate=RATE, timeout_s=4.0)


def said(text: str) -> S2sEvent:
    """Return that the caller's words are known."""
    return S2sEvent(kind="user_text", text=text, final=True)


def test_an_answer_that_was_not_heard_is_still_to_be_given() -> None:
    """Its text had come, and none of its audio; who listens hears that it ends."""
    going = exchange()
    going.take(said("hello"), 0.0)
    going.take(S2sEvent(kind="agent_text", text="Good"), 0.1)
    told, lost = going.left(0.2)
    assert ([event.kind for event in told], lost) == (["turn_done"], ())
    assert (going.memory.unanswered, going.memory.entries()) == ("hello", [])


def test_an_answer_that_was_heard_in_part_is_history() -> None:
    """It ends, and is not given again."""
    going = exchange()
    going.take(said("hello"), 0.0)
    going.take(S2sEvent(kind="agent_text", text="Good day."), 0.1)
    going.take(S2sEvent(kind="audio", pcm=SECOND), 0.1)
    told, lost = going.left(0.2)
    assert ([event.kind for event in told], lost) == (["turn_done"], ("speech",))
    assert [entry.text for entry in going.memory.entries()] == ["hello", "Good day."]
    assert not going.memory.unanswered


def test_a_caller_whose_words_were_not_told_yet_counts_as_speaking() -> None:
    """Else the ear would make do with what it knows, and hear them again."""
    going = exchange()
    going.take(S2sEvent(kind="speech_started"), 0.0)
    going.take(S2sEvent(kind="speech_stopped"), 1.0)
    told, _ = going.left(1.2)
    assert [event.kind for event in told] == ["speech_started"]


def test_what_was_understood_is_told_once() -> None:
    """A model that hears it again tells it for itself only; what follows is news."""
    going = exchange()
    going.take(said("hello"), 0.0)
    going.left(0.1)
    assert going.begins(RATE, 0.2, by_text=False) == 0
    assert going.take(S2sEvent(kind="speech_started"), 0.3) is None
    assert going.take(said("hallo"), 0.4) is None
    assert going.take(said("and more"), 0.5) == said("and more")


def test_a_model_that_takes_text_need_not_hear_it_again() -> None:
    """Only what came after it."""
    going = exchange()
    going.heard(SECOND, 0.0)
    going.take(said("hello"), 0.0)
    going.heard(SECOND, 0.5)
    going.left(0.6)
    known = going.begins(RATE, 0.7, by_text=True)
    assert [number for number, _ in going.backlog.after(known)] == [2]
    assert going.take(S2sEvent(kind="speech_started"), 0.8) is not None


def test_texts_are_said_again_unless_they_were_heard() -> None:
    """The one under way had made no sound; the next had not begun."""
    going = exchange(answers=False)
    going.given("one", 0.0)
    going.given("two", 0.0)
    going.take(S2sEvent(kind="agent_text", text="one"), 0.1)
    assert going.left(0.2) == ([], ())
    assert list(going.texts) == ["one", "two"]


def test_what_a_model_says_was_heard_counts() -> None:
    """More than what was reckoned by time."""
    memory = Memory((HistoryEntry(role="user", text="before", turn=3),))
    answer = memory.begins()
    answer.text, answer.made_ms = "one two three four", 1000.0
    memory.cut(500.0)
    assert memory.entries()[-1].text == "one two"
    memory.told("one two three")
    assert memory.entries()[-1] == HistoryEntry(role="agent", text="one two three", turn=3, interrupted=True)


def test_turns_are_counted_on() -> None:
    """From what was there; words that come after their answer stand before it."""
    memory = Memory((HistoryEntry(role="user", text="before", turn=3),))
    memory.begins().text = "answer"
    memory.understood("late words", answered=True)
    assert [(entry.turn, entry.text) for entry in memory.entries()] == [(3, "before"), (4, "late words"), (4, "answer")]


def test_a_backlog_keeps_seconds_and_speech_whole() -> None:
    """Four seconds of nothing, a second before speech, and at most a minute of it."""
    backlog = Backlog()
    for _ in range(10):
        backlog.push(SECOND)
    assert [number for number, _ in backlog.after(0)] == [7, 8, 9, 10]
    backlog.begin()
    for _ in range(20):
        backlog.push(SECOND)
    assert [number for number, _ in backlog.after(0)] == list(range(10, 31))
    assert not backlog.cut
    for _ in range(60):
        backlog.push(SECOND)
    assert len(list(backlog.after(0))) == 60
    assert backlog.cut


def test_what_is_said_over_an_answer_is_not_dropped_with_what_it_answers() -> None:
    """The caller goes on while the answer comes."""
    backlog = Backlog()
    backlog.begin()
    backlog.push(SECOND)
    backlog.end()
    backlog.begin()
    backlog.push(SECOND)
    backlog.answered()
    assert [number for number, _ in backlog.after(0)] == [2]


@pytest.mark.parametrize("noticed", [True, False])
def test_loudness_is_trusted_as_long_as_models_agree(noticed: bool) -> None:
    """A television that two models ignore is none of a caller's words."""
    waiting = Waiting(4.0)

    def loud() -> bool:
        quiet = bytes(len(LOUD))
        heard = [waiting.hears(pcm, 10.0) for pcm in [*[quiet] * 50, *[LOUD] * 40, *[quiet] * 60]]
        return any(heard)

    assert loud()
    assert waiting.due == 14.0
    waiting.gave_up(14.0)
    waiting.came(15.0 if noticed else 30.0)
    assert loud() is noticed


def test_usage_is_told_and_means_nothing() -> None:
    """It is no answer, and none is over with it."""
    going = exchange()
    going.take(said("hello"), 0.0)
    used = S2sEvent(kind="usage", usage={"input_tokens": 3})
    assert going.take(used, 0.1) is used
    assert going.memory.unanswered == "hello"

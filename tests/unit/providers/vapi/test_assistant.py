"""What the assistant says, sorted into answers."""

from __future__ import annotations

import pytest

from providers.vapi.assistant import EARLY_S, Assistant, State
from providers.vapi.codec import Interrupted, Speech, Spoken, Words
from voicebackend.interfaces import S2sEvent

RATE = 16_000
SOUND = b"\x00\x20" * 320
"""20 ms."""
SILENCE = bytes(640)
STARTED, STOPPED = Speech("assistant", started=True), Speech("assistant", started=False)


class Clock:
    """Seconds, as the test has them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(events: list[S2sEvent]) -> list[str]:
    """Return kinds, with their texts."""
    return [" ".join((event.kind, event.text)).strip().replace("  ", " ") for event in events]


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands."""
    return Clock()


@pytest.fixture
def assistant(clock: Clock) -> Assistant:
    """Give one that answers by itself."""
    return Assistant(RATE, answers=True, clock=clock)


@pytest.fixture
def voice(clock: Clock) -> Assistant:
    """Give one that is to say only what it is given."""
    return Assistant(RATE, answers=False, clock=clock)


def test_an_answer_is_its_text_and_its_audio(assistant: Assistant) -> None:
    """More of the text is told when there is more."""
    found = assistant.take(STARTED) + assistant.take(Spoken("one", 0, ours=False)) + assistant.hear(SOUND)
    found += assistant.take(Spoken("one two", 0, ours=False)) + assistant.hear(SILENCE) + assistant.take(STOPPED)
    assert shown(found) == ["agent_text one", "audio", "agent_text two", "audio", "turn_done"]


@pytest.mark.parametrize("turn", [None, 0.0])
def test_a_text_that_grows_is_told_once(assistant: Assistant, turn: float | None) -> None:
    """With and without numbers of turns."""
    found = [event for text in ("one", "one two") for event in assistant.take(Spoken(text, turn, ours=False))]
    assert [event.text for event in found] == ["one", " two"]


def test_a_text_that_is_put_another_way_is_not_told_again(assistant: Assistant) -> None:
    """What goes on from the first way is."""
    texts = ("one", "one two", "won, too", "one two three")
    found = [event for text in texts for event in assistant.take(Spoken(text, 0, ours=False))]
    assert shown(found) == ["agent_text one", "agent_text two", "agent_text three"]


def test_silence_between_answers_is_no_answer(assistant: Assistant) -> None:
    """However long it is."""
    assert [assistant.hear(SILENCE) for _ in range(100)] == [[]] * 100


def test_sound_that_comes_before_its_announcement_is_part_of_it(assistant: Assistant) -> None:
    """It is not lost."""
    assert assistant.hear(SOUND) == []
    assert assistant.take(STARTED) == [S2sEvent(kind="audio", pcm=SOUND)]


def test_sound_that_comes_after_the_end_is_not_part_of_the_next(assistant: Assistant, clock: Clock) -> None:
    """It is old by then."""
    assistant.hear(SOUND)
    clock.now = EARLY_S + 0.1
    assert assistant.take(STARTED) == []
    assistant.take(STOPPED)
    assistant.hear(SOUND)
    clock.now += EARLY_S + 0.1
    assistant.hear(SOUND)
    assert assistant.take(STARTED) == [S2sEvent(kind="audio", pcm=SOUND)]


def test_sound_that_nobody_announces_is_an_answer(assistant: Assistant) -> None:
    """Better than silence."""
    found = [event for _ in range(30) for event in assistant.hear(SOUND)]
    assert sum(len(event.pcm) for event in found) == 30 * len(SOUND)
    assert shown(assistant.take(STOPPED)) == ["turn_done"]


def test_what_was_cut_off_comes_no_more(assistant: Assistant) -> None:
    """Also what is told of it later; the next answer comes."""
    assistant.take(STARTED)
    assert shown(assistant.cut()) == ["turn_done"]
    assert assistant.hear(SOUND) + assistant.take(Spoken("one", 0, ours=False)) == []
    assert assistant.take(Spoken("one two", 0, ours=False)) + assistant.take(STOPPED) == []
    assert shown(assistant.take(STARTED) + assistant.hear(SOUND)) == ["audio"]


def test_the_callers_interruption_ends_an_answer(assistant: Assistant) -> None:
    """Another begins with or without the end of the one before."""
    assistant.take(Spoken("one", 0, ours=False))
    assert shown(assistant.take(Interrupted())) == ["turn_done"]
    assert assistant.take(Interrupted()) == []
    assert shown(assistant.take(Spoken("two", 1, ours=False)) + assistant.hear(SOUND)) == ["agent_text two", "audio"]


def test_another_turn_is_another_answer(assistant: Assistant) -> None:
    """Though nobody says that the one before has ended."""
    assistant.take(Spoken("one", 0, ours=False))
    assert shown(assistant.take(Spoken("two", 1, ours=False))) == ["turn_done", "agent_text two"]


def test_a_pause_within_a_turn_tells_no_text_twice(assistant: Assistant) -> None:
    """Its text is told whole each time."""
    found = assistant.take(Spoken("one", 0, ours=False)) + assistant.take(STOPPED)
    found += assistant.take(STARTED) + assistant.take(Spoken("one two", 0, ours=False))
    assert shown(found) == ["agent_text one", "turn_done", "agent_text two"]


def test_an_assistant_that_does_not_tell_its_texts_is_understood(assistant: Assistant) -> None:
    """By the transcripts of its own speech; but not beside its texts."""
    assistant.take(STARTED)
    found = [event for text in ("one", "two") for event in assistant.take(Words("assistant", text, final=True))]
    assert "".join(event.text for event in found) == "one two"
    assistant.take(STOPPED)
    assistant.take(Spoken("three", 1, ours=False))
    assert assistant.take(Words("assistant", "three", final=True)) == []


def test_what_a_voice_thinks_of_by_itself_is_dropped(voice: Assistant) -> None:
    """What it is given is heard, from its first sound."""
    assert voice.take(STARTED) + voice.hear(SOUND) + voice.take(Spoken("mine", 0, ours=False)) == []
    assert voice.hear(SOUND) + voice.take(STOPPED) == []
    voice.ask("yours")
    found = voice.take(STARTED) + voice.hear(SOUND) + voice.take(Spoken("yours", 1, ours=True))
    assert shown(found + voice.hear(SOUND) + voice.take(STOPPED)) == ["agent_text yours", "audio", "audio", "turn_done"]
    assert voice.asked is None


def test_a_voice_that_does_not_tell_what_it_says_is_believed_when_it_was_asked(voice: Assistant) -> None:
    """After as much sound as can be kept, or at the end."""
    found = voice.take(STARTED) + [event for _ in range(30) for event in voice.hear(SOUND)] + voice.take(STOPPED)
    assert found == []
    voice.ask("yours")
    found = voice.take(STARTED) + voice.hear(SOUND) + voice.take(STOPPED)
    assert shown(found) == ["audio", "turn_done"]


@pytest.mark.parametrize("answers", [True, False])
def test_what_was_withdrawn_before_it_began_is_not_heard(clock: Clock, answers: bool) -> None:
    """What is said after it is."""
    assistant = Assistant(RATE, answers=answers, clock=clock)
    assistant.ask("one")
    assert assistant.cut() == []
    found = assistant.take(STARTED) + assistant.hear(SOUND) + assistant.take(Spoken("one", 0, ours=True))
    assert found + assistant.hear(SOUND) + assistant.take(STOPPED) == []
    assistant.ask("two")
    assert shown(assistant.take(Spoken("two", 1, ours=True)) + assistant.hear(SOUND)) == ["agent_text two", "audio"]


def test_what_was_withdrawn_may_be_asked_for_again(assistant: Assistant) -> None:
    """A prompt has the same words each time."""
    assistant.ask("one")
    assistant.cut()
    assistant.ask("one")
    assert shown(assistant.take(Spoken("one", 0, ours=True))) == ["agent_text one"]


def test_answers_are_counted(assistant: Assistant) -> None:
    """From when they begin."""
    for _ in range(2):
        assistant.take(STARTED)
        assistant.take(STOPPED)
    assert (assistant.answer, assistant.state) == (2, State.QUIET)

"""What an agent says, sorted into answers."""

from __future__ import annotations

from providers.elevenlabs.answers import QUIET_S, RESTS_S, THINKS_S, Answers, Said, State
from providers.elevenlabs.codec import Answer, Answered, Interrupted, Speech
from providers.elevenlabs.formats import Downlink, WireFormat
from providers.elevenlabs.words import Letters

PCM = b"\x01\x00" * 160


def made(*, greets: bool = True) -> Answers:
    """Return those of an agent that speaks at 16 kHz."""
    return Answers(Downlink(WireFormat(16_000), 16_000), 16_000, greets=greets)


def speech(event_id: int = 1, *, last: bool = False) -> Speech:
    """Return 10 ms of it."""
    return Speech(PCM, event_id, last=last)


def kinds(said: list[Said]) -> list[str]:
    """Return what each is."""
    return [one.event.kind for one in said]


def test_an_answer_has_a_text_sounds_and_an_end() -> None:
    """All with its number."""
    answers = made()
    said = answers.take(Answer("Hi."), 0) + answers.take(speech(), 0) + answers.take(speech(last=True), 0)
    assert kinds(said) == ["agent_text", "audio", "audio", "turn_done"]
    assert {one.answer for one in said} == {1}
    assert answers.state is State.IDLE


def test_a_text_that_comes_after_the_first_sound_belongs_to_it() -> None:
    """The vendor sends both at once."""
    answers = made()
    said = answers.take(speech(), 0) + answers.take(Answer("Hi."), 0)
    assert kinds(said) == ["audio", "agent_text"]
    assert answers.number == 1


def test_another_text_begins_another_answer() -> None:
    """As after a tool."""
    answers = made()
    answers.take(Answer("Let me see."), 0)
    answers.take(speech(), 0)
    said = answers.take(Answer("It is noon."), 0)
    assert [(one.event.kind, one.answer) for one in said] == [("turn_done", 1), ("agent_text", 2)]


def test_silence_ends_an_answer() -> None:
    """Long after a text, soon after a sound, sooner once the agent has told that it has said all."""
    answers = made()
    answers.take(Answer("Hi."), 5)
    assert answers.due == 5 + THINKS_S
    answers.take(speech(), 6)
    assert answers.due == 6 + QUIET_S
    answers.take(Answered(), 6.1)
    assert answers.due == 6.1 + RESTS_S
    assert kinds(answers.end()) == ["turn_done"]
    assert answers.due is None
    assert answers.end() == []


def test_that_all_is_said_may_be_told_before_any_of_it_sounds() -> None:
    """Then the answer still waits for its sounds; and where there is no answer, nothing does."""
    answers = made()
    answers.take(Answered(), 0)
    assert answers.due is None
    answers.take(Answer("Hi."), 0)
    answers.take(Answered(), 1)
    assert answers.due == 1 + THINKS_S
    answers.take(speech(), 2)
    assert answers.due == 2 + RESTS_S


def test_what_was_interrupted_is_over_and_what_comes_late_is_dropped() -> None:
    """By its id."""
    answers = made()
    answers.take(Answer("A story"), 0)
    answers.take(speech(4), 0)
    assert kinds(answers.take(Interrupted(4), 0)) == ["turn_done"]
    assert answers.take(speech(4), 0) == []
    assert answers.take(speech(3), 0) == []
    assert kinds(answers.take(speech(5), 0)) == ["audio"]
    assert answers.number == 2


def test_an_interruption_of_nothing_says_nothing() -> None:
    """What is played here had all been sent."""
    answers = made()
    answers.take(speech(4, last=True), 0)
    assert answers.take(Interrupted(4), 0) == []


def test_what_we_cut_is_over_until_the_caller_was_understood() -> None:
    """The vendor may go on sending it for a while."""
    answers = made()
    answers.take(Answer("A story"), 0)
    answers.take(speech(1), 0)
    assert kinds(answers.cut()) == ["turn_done"]
    assert answers.cut() == []
    assert answers.take(speech(2), 0) == []
    answers.asked()
    assert kinds(answers.take(speech(3), 0)) == ["audio"]
    assert answers.number == 2


def test_what_we_cut_ends_with_the_next_answers_text() -> None:
    """Also if nothing else tells; but its own text may come after it."""
    answers = made()
    answers.take(speech(1), 0)
    answers.cut()
    assert answers.take(Answer("A story"), 0) == []
    assert answers.take(speech(2), 0) == []
    said = answers.take(Answer("Sorry."), 0)
    assert [(one.event.kind, one.answer) for one in said] == [("agent_text", 2)]


def test_what_we_cut_ends_by_silence_without_a_word() -> None:
    """Its end was told when it was cut."""
    answers = made()
    answers.take(speech(), 0)
    answers.cut()
    assert answers.due == QUIET_S
    assert answers.end() == []
    assert answers.state is State.IDLE


def test_a_call_that_goes_on_is_not_greeted_again() -> None:
    """Nothing is heard before the caller has said something."""
    answers = made(greets=False)
    assert answers.take(Answer("Welcome!"), 0) + answers.take(speech(1, last=True), 0) == []
    assert answers.take(speech(2), 0) == []
    answers.asked()
    assert kinds(answers.take(Answer("Yes."), 0)) == ["agent_text"]
    assert kinds(answers.take(speech(3), 0)) == ["audio"]


def test_words_sound_when_their_pieces_do() -> None:
    """The vendor tells times from the beginning of each piece."""
    answers = made()
    answers.take(Answer("a b"), 0)
    first, second = Letters(["a", " "], [0.0, 0.005], [0.005, 0.01]), Letters(["b"], [0.0], [0.01])
    said = answers.take(Speech(PCM, 1, first), 0) + answers.take(Speech(PCM, 1, second), 0)
    assert kinds(said) == ["agent_text", "audio", "agent_text", "audio"]
    words = [word for one in said for word in one.event.words]
    assert [(word.word, word.start_s, word.end_s) for word in words] == [("a", 0.0, 0.005), ("b", 0.01, 0.02)]


def test_a_message_without_audio_makes_no_sound() -> None:
    """The last is often empty."""
    answers = made()
    assert kinds(answers.take(Speech(b"", 1), 0)) == []
    assert kinds(answers.take(Speech(b"", 1, last=True), 0)) == ["turn_done"]

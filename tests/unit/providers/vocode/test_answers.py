"""Where one answer ends and the next begins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.vocode.answers import ENDING_S, STALLED_S, Answers, Item, spread

SOUND, SILENCE = b"\x01\x00", b"\x00\x00"
GAP_S = 0.5


def kinds(items: list[Item]) -> list[str]:
    """Return what they are."""
    return [item.event.kind for item in items]


def spoken(answers: Answers, text: str, *, at: float = 0.0, seconds: float = 1.0) -> list[Item]:
    """Have a whole sentence spoken."""
    return [*answers.audio(SOUND, seconds, at), *answers.bot_said(text, at + seconds)]


def test_sentences_make_one_answer_until_nothing_more_comes() -> None:
    """Their words come after their audio, with times, told apart by a space."""
    answers = Answers(GAP_S)
    found = [*spoken(answers, "Hi there."), *spoken(answers, "Well?", at=1.2)]
    assert kinds(found) == ["audio", "agent_text", "audio", "agent_text"]
    assert "".join(item.event.text for item in found) == "Hi there. Well?"
    assert [(word.word, word.start_s) for word in found[3].event.words] == [("Well?", 1.0)]
    assert answers.passed(2.69) == []
    assert kinds(answers.passed(2.7)) == ["turn_done"]
    assert answers.due is None


def test_a_pause_before_an_answer_is_none_of_it() -> None:
    """Nor are its words; one within an answer is heard."""
    answers = Answers(GAP_S)
    assert answers.audio(SILENCE, 0.1, 0.0) == []
    assert answers.bot_said("<silence>", 0.1) == []
    spoken(answers, "One.")
    assert kinds(answers.audio(SILENCE, 0.1, 1.1)) == ["audio"]
    assert answers.bot_said("<silence>", 1.2) == []
    assert kinds(spoken(answers, "Two.", at=1.2)) == ["audio", "agent_text"]


def test_the_callers_words_end_an_answer_at_once_between_sentences() -> None:
    """What comes next is another."""
    answers = Answers(GAP_S)
    first = spoken(answers, "One.")
    assert kinds(answers.human_said("And?", 1.1)) == ["turn_done", "user_text"]
    second = spoken(answers, "Two.", at=1.5)
    assert first[0].answer is not second[0].answer


def test_the_words_that_were_spoken_come_before_those_that_cut_them_off() -> None:
    """The server tells them the other way round."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    assert answers.human_said("Stop.", 1.0) == []
    found = answers.bot_said("Once upon", 1.09)
    assert kinds(found) == ["agent_text", "turn_done", "user_text"]
    assert found[-1].event.final


def test_the_callers_words_wait_for_no_others_for_long() -> None:
    """A filler is followed by none."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    answers.human_said("Stop.", 1.0)
    assert answers.passed(1.0 + ENDING_S - 0.01) == []
    assert kinds(answers.passed(1.0 + ENDING_S)) == ["turn_done", "user_text"]


def test_what_cannot_be_interrupted_goes_on_after_the_callers_words() -> None:
    """They are told, and it is over with its own."""
    answers = Answers(GAP_S)
    first = answers.audio(SOUND, 1.0, 0.0)
    answers.human_said("Stop.", 1.0)
    more = answers.audio(SOUND, 0.1, 1.1)
    assert kinds(more) == ["user_text", "audio"]
    assert more[1].answer is first[0].answer
    assert kinds(answers.bot_said("A notice.", 1.2)) == ["agent_text", "turn_done"]


def test_two_of_the_callers_in_a_row_are_both_told() -> None:
    """In order."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    answers.human_said("Stop.", 1.0)
    found = [*answers.human_said("Now.", 1.05), *answers.bot_said("Once", 1.1)]
    assert [item.event.text for item in found if item.event.kind == "user_text"] == ["Stop.", "Now."]


def test_an_answer_that_stalls_is_over() -> None:
    """Seconds after what has come of it was to be played."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    assert answers.passed(1.0 + STALLED_S - 0.01) == []
    assert kinds(answers.passed(1.0 + STALLED_S)) == ["turn_done"]


def test_what_was_cut_off_is_not_heard_and_its_words_as_far_as_they_were() -> None:
    """Whole words of what was played; the server goes on until it has heard the caller."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    answers.spoken_over()
    cut = answers.cut(0.5)
    assert cut is not None
    assert answers.audio(SOUND, 1.0, 1.0) == []
    answers.human_said("Stop.", 2.0)
    found = answers.bot_said("once upon a time", 2.05)  # eight characters a second
    assert [(item.event.kind, item.event.text) for item in found] == [("agent_heard", "once"), ("user_text", "Stop.")]
    assert kinds(answers.audio(SOUND, 0.1, 2.1)) == ["audio"]


def test_an_answer_that_was_cut_off_ends_with_the_servers_if_the_server_did_not_notice() -> None:
    """All of it is dropped, also its later sentences; what comes after the gap is heard."""
    answers = Answers(GAP_S)
    answers.audio(SOUND, 1.0, 0.0)
    assert answers.cut(0.0) is not None
    assert answers.bot_said("One.", 1.0) == []
    assert spoken(answers, "Two.", at=1.2) == []
    assert answers.passed(2.2 + GAP_S) == []
    assert kinds(spoken(answers, "Three.", at=5.0)) == ["audio", "agent_text"]


def test_only_what_the_caller_spoke_over_is_cut() -> None:
    """What has been begun since then goes on; so does one that was heard to its end."""
    answers = Answers(GAP_S)
    spoken(answers, "One.")
    answers.spoken_over()
    answers.human_said("And?", 1.1)
    answers.audio(SOUND, 0.1, 1.2)
    assert answers.cut(0.5) is None
    assert kinds(answers.audio(SOUND, 0.1, 1.3)) == ["audio"]
    assert answers.cut(0.1) is not None
    assert answers.cut(0.1) is None


def test_interrupting_nothing_does_nothing() -> None:
    """Before any answer."""
    assert Answers(GAP_S).cut(0.0) is None


def test_words_are_spread_evenly() -> None:
    """By their characters."""
    assert [(word.word, word.start_s, word.end_s) for word in spread(" ab cd ", 1.0, 8.0)] == [
        ("ab", 2.0, 4.0),
        ("cd", 5.0, 7.0),
    ]
    assert list(spread("", 0.0, 1.0)) == []


ACTIONS = st.lists(st.sampled_from(["audio", "pause", "bot", "human", "time", "speech", "cut"]), max_size=40)


@given(ACTIONS)
def test_whatever_comes_answers_end_and_every_word_of_the_caller_is_told(actions: list[str]) -> None:
    """No audio of an answer comes after its end or its interruption; at last, nothing is due."""
    answers, now, told, cut = Answers(GAP_S), 0.0, list[Item](), set[int]()
    for action in actions:
        now += 0.1
        match action:
            case "audio":
                found = answers.audio(SOUND, 0.1, now)
            case "pause":
                found = answers.audio(SILENCE, 0.1, now)
            case "bot":
                found = answers.bot_said("some words", now)
            case "human":
                found = answers.human_said("my words", now)
            case "time":
                now += 1.0
                found = answers.passed(now)
            case "speech":
                found = answers.spoken_over() or []
            case _:
                stopped = answers.cut(0.05)
                cut |= {id(stopped)} if stopped is not None else set()
                found = []
        assert not {id(item.answer) for item in found if item.event.kind != "turn_done"} & cut
        told += found
    told += answers.passed(now + 10)
    assert answers.due is None
    assert kinds(told).count("user_text") == actions.count("human")
    over: set[int] = set()
    for item in told:
        assert id(item.answer) not in over or item.answer is None
        if item.event.kind == "turn_done":
            over.add(id(item.answer))

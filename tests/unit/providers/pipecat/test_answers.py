"""Where a Pipecat server's answers begin and end, and what belongs to each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.pipecat.answers import EARLY_FRAMES, Answers, Numbered
from voicebackend.interfaces import S2sEvent

RATE = 24_000
SOUND, SILENCE = b"\x10\x20" * 480, bytes(960)


def audio(number: int, pcm: bytes = SOUND) -> Numbered:
    """Return audio of an answer."""
    return number, S2sEvent(kind="audio", pcm=pcm)


def text(number: int, words: str) -> Numbered:
    """Return text of an answer."""
    return number, S2sEvent(kind="agent_text", text=words)


def done(number: int) -> Numbered:
    """Return the end of an answer."""
    return number, S2sEvent(kind="turn_done")


def talking() -> Answers:
    """Return a server's that has answered once, and told so."""
    answers = Answers(RATE)
    answers.started()
    answers.stopped()
    return answers


def test_sound_from_before_the_news_belongs_to_the_answer() -> None:
    """The news takes the longer way; text that was written waits for the sound."""
    answers = talking()
    answers.writes()
    assert answers.wrote("Hello ") == []
    assert answers.audio(SOUND, RATE) == []
    assert answers.started() == [text(2, "Hello "), audio(2)]
    assert answers.wrote("there.") == [text(2, "there.")]
    assert answers.audio(SILENCE, RATE) == [audio(2, SILENCE)]
    assert answers.stopped() == [done(2)]


def test_sound_between_answers_is_none_of_them() -> None:
    """Servers fill silence, or hum."""
    answers = talking()
    assert answers.audio(SILENCE, RATE) == []
    for _ in range(100):
        assert answers.audio(SOUND, RATE) == []
    assert len(answers.started()) == EARLY_FRAMES
    answers.stopped()
    assert answers.started() == []


def test_a_server_that_does_not_tell_is_heard_at_once() -> None:
    """Silence tells the end of its answer."""
    answers = Answers(RATE)
    assert answers.audio(SILENCE, RATE) == []
    assert not answers.untold
    assert answers.audio(SOUND, RATE) == [audio(1)]
    assert answers.untold
    assert answers.stopped() == [done(1)]
    assert not answers.untold


def test_its_first_answer_goes_on_when_it_tells_of_it_after_all() -> None:
    """Its end will be told, too."""
    answers = Answers(RATE)
    answers.audio(SOUND, RATE)
    assert answers.started() == []
    assert not answers.untold
    assert answers.stopped() == [done(1)]


def test_an_interruption_ends_what_is_said_and_forgets_what_was_written() -> None:
    """Nothing of it comes with the next answer."""
    answers = talking()
    answers.wrote("One.")
    answers.started()
    assert answers.interrupted() == [done(2)]
    answers.wrote("Two.")
    assert answers.interrupted() == []
    answers.announced()
    assert answers.started() == []


def test_text_written_while_another_answer_sounds_is_the_next_ones() -> None:
    """Models write on while they are heard, after a tool has answered."""
    answers = talking()
    answers.writes()
    answers.wrote("Let me see.")
    answers.started()
    answers.writes()
    assert answers.wrote("It is four.") == []
    assert answers.stopped() == [done(2)]
    assert answers.started() == [text(3, "It is four.")]


def test_a_text_that_no_model_wrote_is_told_when_it_is_spoken() -> None:
    """Each of its segments once, however often it is told of."""
    answers = talking()
    answers.started()
    assert answers.spoken({"text": "Good day.", "segment_id": 7, "will_be_spoken": True}) == [text(2, "Good day.")]
    assert answers.spoken({"text": "Good day.", "segment_id": 7, "will_be_spoken": True}) == []
    assert answers.spoken({"text": "Hi.", "segment_id": 8, "will_be_spoken": True}) == [text(2, " Hi.")]
    assert answers.spoken({"text": "[code]", "segment_id": 9, "will_be_spoken": False}) == []
    assert answers.spoken({"text": 5, "segment_id": 10}) == []


def test_what_a_model_wrote_is_not_told_twice() -> None:
    """Its segments are the same text again."""
    answers = talking()
    answers.wrote("Good day.")
    answers.started()
    assert answers.spoken({"text": "Good day.", "segment_id": 7, "will_be_spoken": True}) == []


def test_what_was_cut_comes_no_more() -> None:
    """Until the server has heard of it; its next answer is heard whole."""
    answers = talking()
    answers.started()
    assert answers.interrupt() == (2, [done(2)])
    assert answers.audio(SOUND, RATE) == []
    assert answers.wrote("more") == []
    assert answers.interrupted() == []
    answers.writes()
    assert answers.wrote("Next.") == []
    assert answers.started() == [text(3, "Next.")]


def test_what_was_cut_before_the_news_of_it_comes_no_more() -> None:
    """The news takes the longer way."""
    answers = Answers(RATE)
    answers.audio(SOUND, RATE)
    assert answers.interrupt() == (1, [done(1)])
    assert answers.started() == []
    assert answers.audio(SOUND, RATE) == []
    assert answers.interrupted() == []
    answers.announced()
    assert answers.started() == []
    assert answers.audio(SOUND, RATE) == [audio(2)]


def test_a_piece_that_an_interruption_did_not_reach_is_no_answer() -> None:
    """The server tells of it as of one."""
    answers = talking()
    answers.started()
    answers.interrupted()
    assert answers.started() == []
    assert answers.audio(SOUND, RATE) == []
    assert answers.stopped() == []


def test_an_answer_that_nobody_announced_is_heard_whole() -> None:
    """It lasts longer than a piece."""
    answers = talking()
    answers.interrupted()
    found = answers.started()
    for _ in range(EARLY_FRAMES + 2):
        found += answers.audio(SOUND, RATE)
    assert found == [audio(2)] * (EARLY_FRAMES + 2)
    assert answers.stopped() == [done(2)]


def test_what_was_cut_of_a_server_that_tells_nothing_ends_with_its_silence() -> None:
    """It does not know of interruptions, perhaps."""
    answers = Answers(RATE)
    answers.audio(SOUND, RATE)
    assert answers.interrupt() == (1, [done(1)])
    assert answers.audio(SOUND, RATE) == []
    assert answers.untold
    assert answers.stopped() == []
    assert answers.audio(SOUND, RATE) == [audio(2)]


def test_an_interruption_is_of_what_was_said_when_the_caller_began() -> None:
    """What is being answered to the caller since then goes on."""
    answers = talking()
    answers.spoken_over()
    answers.started()
    assert answers.interrupt() == (1, [])
    assert answers.audio(SOUND, RATE) == [audio(2)]
    assert answers.interrupt() == (2, [done(2)])


def test_another_rate_is_resampled_to_its_end() -> None:
    """No sample is lost between two answers, and none is mixed into the next."""
    answers = Answers(RATE)
    found = answers.audio(SOUND, 16_000) + answers.stopped()
    size = sum(len(event.pcm) for _, event in found)
    assert abs(size - len(SOUND) * 3 // 2) < 200
    assert found[-1] == done(1)
    assert answers.audio(SOUND, 48_000)[0][0] == 2


NEWS = st.sampled_from(
    [
        "sound",
        "silence",
        "announced",
        "started",
        "stopped",
        "interrupted",
        "writes",
        "wrote",
        "spoken",
        "over",
        "interrupt",
    ]
)


@given(st.lists(NEWS, max_size=60))
def test_answers_come_one_after_the_other_whatever_happens(news: list[str]) -> None:
    """Each ends once, with nothing after it, before the next begins; what was cut says no more."""
    answers, found, cut = Answers(RATE), list[Numbered](), set[int]()
    for name in news:
        match name:
            case "sound" | "silence":
                more = answers.audio(SOUND if name == "sound" else SILENCE, RATE)
            case "wrote":
                more = answers.wrote("word")
            case "spoken":
                more = answers.spoken({"text": "word", "segment_id": len(found)})
            case "over":
                answers.spoken_over()
                continue
            case "interrupt":
                number, more = answers.interrupt()
                cut.add(number)
                assert all(event.kind == "turn_done" for _, event in more)
            case _:
                more = getattr(answers, name)()
        if name != "interrupt":
            assert not cut & {number for number, event in more if event.kind != "turn_done"}
        found += more
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers)
    ends = [number for number, event in found if event.kind == "turn_done"]
    assert ends == sorted(set(ends))
    for number in ends:
        assert [event.kind for its, event in found if its == number][-1] == "turn_done"

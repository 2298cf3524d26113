"""What was heard is told to the word, from what was played."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engines.tts.mock import MockTts, MockTtsConfig
from providers.mock.tones import speak, spoken
from voicebackend.interfaces import WordTime
from worker.speech.clauses import Clause, ClauseCutter
from worker.speech.heard import TOLERANCE_MS, SpokenClause, heard_text

RATE = 8000
MS = 60.0
"""Of a byte in tones."""


def clauses(text: str, *, normalise: bool = True) -> list[Clause]:
    """Return the clauses of a whole answer."""
    cutter = ClauseCutter(normalise=normalise)
    return cutter.push(text) + cutter.flush()


def in_tones(found: list[Clause]) -> list[SpokenClause]:
    """Return when each clause sounds if the mock speaks them one after the other."""
    said, start = [], 0.0
    for clause in found:
        ms = len(clause.spoken.encode()) * MS
        said.append(SpokenClause(clause, start, ms))
        start += ms
    return said


def end(said: list[SpokenClause]) -> float:
    """Return how long the answer lasts in ms."""
    return max((clause.start_ms + clause.ms for clause in said), default=0.0)


def whole(text: str) -> str:
    """Return the answer as it is remembered."""
    return " ".join(clause.text for clause in clauses(text))


def test_a_word_counts_when_it_was_played_to_its_end() -> None:
    """Less one frame, which is not yet told."""
    said = in_tones(clauses("Hello there friend."))
    assert heard_text(said, 5 * MS - TOLERANCE_MS - 1) == ""
    assert heard_text(said, 5 * MS - TOLERANCE_MS) == "Hello"
    assert heard_text(said, 11 * MS) == "Hello there"
    assert heard_text(said, end(said)) == "Hello there friend."


def test_a_unit_of_several_words_is_heard_only_as_a_whole() -> None:
    """Half of "twenty dollars" is not half of "$20"."""
    said = in_tones(clauses("It is $20 now."))
    assert heard_text(said, len("It is twenty") * MS) == "It is"
    assert heard_text(said, len("It is twenty dollars") * MS) == "It is $20"


def test_what_makes_no_sound_goes_with_the_word_that_follows() -> None:
    """Or with the last word of the answer."""
    said = in_tones(clauses("Well 😀 yes. 👍"))
    assert heard_text(said, 4 * MS) == "Well"
    assert heard_text(said, len("Well yes") * MS) == "Well"
    assert heard_text(said, len("Well yes.") * MS) == "Well 😀 yes. 👍"


def test_nothing_that_sounds_is_nothing_heard() -> None:
    """However long it is played."""
    assert heard_text(in_tones(clauses("👍")), 1000) == ""
    assert heard_text([], 1000) == ""


def test_words_are_timed_where_the_engine_tells() -> None:
    """A pause inside a clause moves the words behind it."""
    (clause,) = clauses("Well, I owe you $20.")
    words = (WordTime("well", 0.0, 0.3), WordTime("dollars", 2.5, 3.0))
    said = [SpokenClause(clause, 100.0, 3200.0, words)]
    assert heard_text(said, 390) == "Well,"
    assert heard_text(said, 3070) == "Well, I owe you"
    assert heard_text(said, 3090) == "Well, I owe you $20."


def test_times_that_make_no_sense_do_no_harm() -> None:
    """Words that are not in the text, that go back, or end after the audio."""
    (clause,) = clauses("One two three")
    words = (WordTime("two", 0.0, 9.0), WordTime("", 0.0, 1.0), WordTime("four", 0.1, 0.2), WordTime("three", 0.0, 0.1))
    said = [SpokenClause(clause, 0.0, 600.0, words)]
    assert heard_text(said, 300) == "One"
    assert heard_text(said, 600) == "One two three"


def test_a_clause_whose_audio_is_not_complete_is_reckoned() -> None:
    """Half a clause's audio does not stand for the whole text."""
    (clause,) = clauses("One two three four")
    said = [SpokenClause(clause, 0.0, 7 * MS, complete=False)]
    assert heard_text(said, 7 * MS) == "One two"


def test_clauses_of_a_script_without_spaces_are_heard_by_the_character() -> None:
    """Each is a word, or near enough."""
    said = in_tones(clauses("你好吗"))
    assert heard_text(said, 2 * 3 * MS) == "你好"


ANSWERS = st.one_of(
    st.text(max_size=120),
    st.lists(
        st.sampled_from(["Hello there. ", "I owe $20, ", "😀 ", "你好。", "yes ", "Nov 3, ", "- a\n"]), max_size=12
    ).map("".join),
)


@settings(deadline=None)
@given(ANSWERS, st.lists(st.floats(0, 60_000), max_size=8), st.booleans())
def test_it_is_a_prefix_that_only_grows(text: str, moments: list[float], normalise: bool) -> None:
    """Nothing at the start, all at the end if there was a sound, and never less than before."""
    said = in_tones(clauses(text, normalise=normalise))
    everything = " ".join(clause.clause.text for clause in said) if end(said) else ""
    before = ""
    for moment in (0.0, *sorted(moments), end(said) + 60_000):
        heard = heard_text(said, moment)
        assert heard.startswith(before)
        assert everything.startswith(heard)
        before = heard
    assert heard_text(said, 0) == ""
    assert before == everything


@settings(deadline=None)
@given(
    st.lists(st.text("abcdefgh.,?", min_size=1, max_size=7), min_size=1, max_size=12).map(" ".join),
    st.integers(0, 100),
    st.integers(0, int(MS - TOLERANCE_MS) - 1),
)
def test_it_agrees_with_the_audio(text: str, characters: int, more_ms: int) -> None:
    """The words that are wholly in the audio, cut anywhere but in the last frame of a character, are those heard."""
    said = in_tones(clauses(text, normalise=False))
    full = " ".join(clause.clause.text for clause in said)
    pcm = b"".join(speak(clause.clause.spoken, RATE, MS / 1000) for clause in said)
    played_ms = characters * int(MS) + more_ms
    played = spoken(pcm[: 2 * (RATE * played_ms // 1000)], RATE)[:characters].replace(" ", "")
    heard = heard_text(said, played_ms)
    assert full.startswith(heard)
    assert played.startswith(heard.replace(" ", ""))
    unheard = full[len(heard) :].split()
    assert not unheard or not played.startswith(heard.replace(" ", "") + unheard[0])


async def test_the_mock_voices_word_times_agree_with_the_proportion() -> None:
    """Both are exact there."""
    voice = MockTts(MockTtsConfig(word_times=True))
    said = in_tones(clauses("Hello there. I owe you $20, or €30 by Nov 3rd."))
    timed = [
        SpokenClause(
            clause.clause,
            clause.start_ms,
            clause.ms,
            tuple([word async for word in voice.synthesize(clause.clause.spoken) if isinstance(word, WordTime)]),
        )
        for clause in said
    ]
    assert all(clause.words for clause in timed)
    moments = range(0, int(end(said)), 17)
    assert [heard_text(timed, at) for at in moments] == [heard_text(said, at) for at in moments]


@pytest.mark.parametrize("played", [-1.0, float("inf")])
def test_odd_clocks_are_taken_as_they_are(played: float) -> None:
    """Before the start is nothing, without end is all."""
    said = in_tones(clauses("Yes. No."))
    assert heard_text(said, played) == ("" if played < 0 else "Yes. No.")

"""A model's answer as it comes: whole samples, and which words sound when."""

from __future__ import annotations

from voicebackend.interfaces import S2sEvent, WordTime
from worker.pipelines.model_turn import MAX_TEXT, READY_S, ModelTurn
from worker.pipelines.saying import heard

RATE = 8_000


def second(share: float = 1.0) -> S2sEvent:
    """Return so much of a second of audio."""
    return S2sEvent(kind="audio", pcm=bytes(round(RATE * share) * 2))


def text(piece: str, *, final: bool = False, **more: object) -> S2sEvent:
    """Return a piece of text."""
    return S2sEvent(kind="agent_text", text=piece, final=final, **more)  # type: ignore[arg-type]


def taken(*events: S2sEvent) -> ModelTurn:
    """Return a whole answer that has been sent to the caller."""
    turn = ModelTurn(RATE)
    for event in (*events, S2sEvent(kind="turn_done")):
        turn.take(event)
    turn.saying.start_ms, turn.saying.complete = 0.0, True
    turn.saying.made_ms = sum(len(event.pcm) for event in events) / RATE / 2 * 1000
    return turn


async def test_audio_is_given_on_in_whole_samples() -> None:
    """However it is cut."""
    pcm = bytes(range(256))
    turn = taken(*(S2sEvent(kind="audio", pcm=pcm[at : at + 3]) for at in range(0, 256, 3)))
    pieces = [piece async for piece in turn.audio()]
    assert b"".join(pieces) == pcm
    assert all(len(piece) % 2 == 0 for piece in pieces)


async def test_more_audio_than_may_wait_is_dropped() -> None:
    """Two minutes are kept."""
    turn = taken(*(second() for _ in range(round(READY_S) + 5)))
    assert sum([len(piece) async for piece in turn.audio()]) == READY_S * RATE * 2


def test_text_in_step_with_its_audio_tells_when_it_sounds() -> None:
    """A slow beginning is a slow beginning."""
    turn = taken(text("Well, "), second(3), text("you know it."), second(1))
    assert heard([turn.saying], 2900) == ""
    assert heard([turn.saying], 3100) == "Well,"
    assert heard([turn.saying], 4000) == "Well, you know it."


def test_words_may_come_in_pieces() -> None:
    """The text is put together as it was."""
    turn = taken(text("Un"), second(0.2), text("believ"), second(0.4), text("able"), second(0.4))
    assert turn.saying.clause.text == "Unbelievable"
    assert [heard([turn.saying], ms) for ms in (700, 1000)] == ["", "Unbelievable"]


def test_a_piece_that_begins_with_a_mark_is_found_where_it_stands() -> None:
    """Not where the same words come again."""
    turn = taken(text("Yes"), second(), text(", sir."), second(), text(" No"), second(), text(", sir."), second())
    assert [heard([turn.saying], ms) for ms in (2000, 3100)] == ["Yes, sir.", "Yes, sir. No,"]


def test_text_that_runs_ahead_of_its_audio_lasts_as_long_as_that() -> None:
    """All of it came in the first moment: it is spread over what was spoken."""
    turn = taken(text("one two "), second(0.01), text("three "), second(0.01), text("four"), second(3.98))
    assert heard([turn.saying], 100) == ""
    assert heard([turn.saying], 2000) == "one two"


def test_text_that_comes_at_the_end_belongs_to_all_of_the_audio() -> None:
    """As one piece."""
    turn = taken(second(2), text("one two", final=True))
    assert [heard([turn.saying], ms) for ms in (800, 1100, 2000)] == ["", "one", "one two"]


def test_a_model_that_tells_when_its_words_sound_is_believed() -> None:
    """In seconds of the answer's audio."""
    words = (WordTime("one", 0.1, 0.2), WordTime("two", 1.8, 2.0))
    turn = taken(text("one two", words=words), second(2))
    assert [heard([turn.saying], ms) for ms in (250, 1700, 2000)] == ["one", "one", "one two"]


def test_the_whole_text_may_be_more_than_its_pieces() -> None:
    """The last word is the model's; what was not told yet is."""
    told: list[str] = []
    turn = ModelTurn(RATE)
    turn.on_text = told.append
    for event in (text("Hello "), second(), text("Hello there.", final=True)):
        turn.take(event)
    assert (turn.saying.clause.text, told) == ("Hello there.", ["Hello ", "there."])


def test_a_text_without_end_is_cut() -> None:
    """At the length that is remembered."""
    assert len(taken(text("a" * 50_000)).saying.clause.text) == MAX_TEXT


def test_nothing_is_taken_once_it_is_dropped() -> None:
    """Neither text nor audio."""
    turn = ModelTurn(RATE)
    turn.drop()
    turn.take(text("hello"))
    assert turn.saying.clause.text == ""

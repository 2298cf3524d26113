"""What of a turn a carrier has played, and audio that comes out of order."""

from __future__ import annotations

import random

from control.telephony.streams.pieces import Pieces, Sizes
from control.telephony.streams.playback_marks import MAX_PENDING, PlaybackMarks
from control.telephony.streams.reorder import DEPTH, Reorder
from control.telephony.streams.stream_events import Audio
from voicebackend.events import Played

FRAME = 160
"""Bytes in 20 ms of mu-law."""


def marked(marks: PlaybackMarks, frames: int, now: float = 0.0) -> list[str]:
    """Send so much audio, and return the marks that follow it."""
    return [name for _ in range(frames) if (name := marks.sent(FRAME, now)) is not None]


def test_a_mark_follows_every_200_ms_and_the_end() -> None:
    """What came back says how much of the turn was played."""
    marks = PlaybackMarks(8.0)
    marks.begun(3)
    names = marked(marks, 25)
    assert len(names) == 2
    last = marks.mark()
    assert last is not None
    assert marks.mark() is None
    assert marks.came_back(names[0], 0.3) == Played(turn=3, ms=200.0)
    assert marks.came_back(last, 0.6) == Played(turn=3, ms=500.0)
    assert marks.came_back(last, 0.6) is None
    assert marks.came_back("somebody else's", 0.6) is None


def test_a_clear_counts_what_the_marks_and_the_time_since_say() -> None:
    """Marks that come back because of it say nothing."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    names = marked(marks, 50, now=10.0)
    assert marks.came_back(names[0], 10.25) == Played(turn=1, ms=200.0)
    assert marks.stopped(1, 10.35) == Played(turn=1, ms=300.0, stopped=True)
    assert [marks.came_back(name, 10.36) for name in names[1:]] == [None] * 4
    assert marks.stopped(1, 20.0) == Played(turn=1, ms=300.0, stopped=True)


def test_no_more_was_played_than_was_sent() -> None:
    """However long ago that was; and the next turn begins with nothing."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    marked(marks, 5)
    assert marks.stopped(1, 60.0) == Played(turn=1, ms=100.0, stopped=True)
    marks.begun(2)
    assert marks.stopped(2, 61.0) is None
    assert marks.draining(2) is None


def test_a_pause_plays_what_was_sent() -> None:
    """A carrier cannot stand still."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    marked(marks, 10)
    assert marks.draining(1) == Played(turn=1, ms=200.0, stopped=True)


def test_what_waits_of_the_turn_before_is_played_first() -> None:
    """A turn that is cleared before its own audio was due was not heard at all; the one before was, in part."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    marked(marks, 20)
    marks.begun(2)
    marked(marks, 10, now=0.2)
    assert marks.waits(1, 0.3)
    assert not marks.waits(1, 0.41)
    assert marks.stopped(2, 0.3) == Played(turn=2, ms=0.0, stopped=True)
    assert marks.draining(1) == Played(turn=1, ms=300.0, stopped=True)


def test_a_time_without_audio_counts_for_nothing() -> None:
    """Neither before a mark of what went before it has come back, nor after."""
    for comes_back in (False, True):
        marks = PlaybackMarks(8.0)
        marks.begun(1)
        (name,) = marked(marks, 10)
        if comes_back:
            marks.came_back(name, 0.25)
        marked(marks, 15, now=1.0)
        assert marks.stopped(1, 1.1) == Played(turn=1, ms=300.0, stopped=True)


def test_a_clear_is_answered_for_its_own_turn() -> None:
    """Also if the next has begun."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    marked(marks, 10)
    marks.begun(2)
    marked(marks, 10, now=0.1)
    assert marks.draining(1) == Played(turn=1, ms=200.0, stopped=True)
    assert marks.stopped(1, 0.15) == Played(turn=1, ms=150.0, stopped=True)
    assert marks.stopped(3, 0.15) is None
    marks.begun(3)
    marked(marks, 10, now=0.2)
    assert marks.stopped(4, 0.3) is None
    assert marks.draining(3) == Played(turn=3, ms=100.0, stopped=True)


def test_marks_put_the_clock_right() -> None:
    """A carrier that began later than we thought has played less."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    name = marked(marks, 50)[0]
    assert not marks.answered
    marks.came_back(name, 0.5)
    assert marks.answered
    assert marks.stopped(1, 0.6) == Played(turn=1, ms=300.0, stopped=True)


def test_a_carrier_without_marks_costs_no_memory() -> None:
    """No more are kept than may be on their way."""
    marks = PlaybackMarks(8.0)
    marks.begun(1)
    assert len(marked(marks, 10 * (MAX_PENDING + 50))) == MAX_PENDING


def test_numbered_audio_comes_out_in_order() -> None:
    """Swapped, repeated, late."""
    reorder = Reorder()
    found: list[bytes] = []
    for chunk in (1, 3, 2, 2, 4, 6, 5, 1, 7):
        found += reorder.push(Audio(bytes([chunk]), chunk))
    assert found == [bytes([chunk]) for chunk in range(1, 8)]


def test_what_is_lost_is_waited_for_only_shortly() -> None:
    """Then the rest goes on, in order, whatever the order was."""
    chance = random.Random(1)  # noqa: S311 - test data
    chunks = [chunk for chunk in range(1, 200) if chunk % 17]
    near = sorted(chunks, key=lambda chunk: chunk + chance.uniform(0, DEPTH - 2))
    reorder = Reorder()
    found = [payload[0] for chunk in near for payload in reorder.push(Audio(bytes([chunk]), chunk))]
    assert found == sorted(found)
    assert len(found) >= len(chunks) - DEPTH


def test_audio_without_numbers_passes() -> None:
    """Nothing waits."""
    assert Reorder().push(Audio(b"x")) == [b"x"]


def test_messages_have_the_size_that_the_carrier_takes() -> None:
    """What does not fill one waits for more, or for silence at the end; nothing is lost, and nothing comes twice."""
    for sizes in (Sizes(unit=640, least=640, most=640), Sizes(unit=320, least=3200), Sizes(least=160)):
        pieces = Pieces(sizes, b"\xff")
        audio = [bytes([number]) * size for number, size in enumerate((6400, 1920, 2, 1054, 640, 30))]
        found = [piece for chunk in audio for piece in pieces.push(chunk)] + pieces.flush()
        assert all(len(piece) % sizes.unit == 0 and len(piece) >= sizes.least for piece in found)
        assert all(len(piece) <= (sizes.most or 10_000) for piece in found)
        whole = b"".join(audio)
        assert b"".join(found)[: len(whole)] == whole
        assert set(b"".join(found)[len(whole) :]) <= {0xFF}
        assert len(b"".join(found)) - len(whole) < max(sizes.unit, sizes.least)
        assert pieces.flush() == []


def test_what_waits_can_be_dropped_and_any_size_may_do() -> None:
    """A turn that was cut off has no rest."""
    pieces = Pieces(Sizes(unit=320, least=320), b"\0")
    assert pieces.push(b"x" * 100) == []
    pieces.drop()
    assert pieces.flush() == []
    assert Pieces(Sizes(), b"\0").push(b"xyz") == [b"xyz"]

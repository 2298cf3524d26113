"""What waits for a stream: whole and in order while it can be, the latest seconds of each session's audio when not."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebackend.backlog import BUFFER_S, MAX_STUCK_S, Backlog
from voicebackend.streams import MAX_FRAMES, Frame, Kind

KEPT = round(BUFFER_S / 0.02)
"""Frames of caller audio in what is kept."""


def frame(seq: int, kind: Kind = Kind.AUDIO_IN, session: int = 1) -> Frame:
    """Return a frame of 20 ms."""
    return Frame(session=f"{session:032x}", kind=kind, seq=seq, payload=bytes(640))


def test_what_can_be_written_comes_whole_however_much() -> None:
    """A burst of half a minute is no reason to drop anything."""
    backlog = Backlog()
    for seq in range(1500):
        backlog.push(frame(seq))
    taken = [backlog.take(), backlog.take()]
    assert [len(frames) for frames in taken] == [MAX_FRAMES, 1500 - MAX_FRAMES]
    assert [found.seq for frames in taken for found in frames] == list(range(1500))
    assert (len(backlog), backlog.dropped) == (0, 0)


def test_a_stuck_backlog_keeps_the_latest_six_seconds_of_each_session() -> None:
    """192 KB each; what is not audio stays in its place."""
    backlog = Backlog()
    backlog.push(frame(0, Kind.ATTACH))
    backlog.put_back(backlog.take(), 1.0)
    for seq in range(1, 1001):
        backlog.push(frame(seq))
        backlog.push(frame(seq, session=2))
    backlog.push(frame(0, Kind.DTMF))
    assert repr(backlog) == f"<Backlog [{2 + 2 * KEPT} frames, stuck, {2 * (1000 - KEPT)} dropped]>"
    backlog.wrote()
    taken = backlog.take()
    assert (taken[0].kind, taken[-1].kind) == (Kind.ATTACH, Kind.DTMF)
    assert [found.seq for found in taken[1:-1:2]] == list(range(1001 - KEPT, 1001))


def test_what_had_gathered_before_is_cut_to_what_is_kept() -> None:
    """A caller's burst, and then Redis goes."""
    backlog = Backlog()
    for seq in range(1500):
        backlog.push(frame(seq))
    assert backlog.put_back(backlog.take(), 1.0)
    assert (len(backlog), backlog.dropped) == (KEPT, 1500 - KEPT)
    assert not backlog.put_back(backlog.take(), 2.0)
    assert len(backlog) == KEPT


def test_a_stream_that_does_not_come_back_is_given_up() -> None:
    """Half a minute after the first write that failed."""
    backlog = Backlog()
    backlog.push(frame(1, Kind.CLOSE))
    backlog.put_back(backlog.take(), 100.0)
    backlog.put_back(backlog.take(), 120.0)
    backlog.give_up(100.0 + MAX_STUCK_S - 0.1)
    assert len(backlog) == 1
    backlog.give_up(100.0 + MAX_STUCK_S)
    assert (len(backlog), backlog.dropped) == (0, 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 3), st.integers(1, 200)),
        st.tuples(st.just("tell"), st.integers(1, 3), st.just(1)),
        st.tuples(st.sampled_from(["fail", "write"]), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_whatever_happens_order_holds_and_no_control_frame_is_lost(steps: list[tuple[str, int, int]]) -> None:
    """What was written, and what is dropped, is all that was pushed; while stuck each session has its bound."""
    backlog, written, told, pushed, stuck = Backlog(), [], 0, 0, False
    for now, (step, session, count) in enumerate(steps):
        if step in {"push", "tell"}:
            for _ in range(count):
                pushed += 1
                backlog.push(frame(pushed, Kind.AUDIO_IN if step == "push" else Kind.DTMF, session))
            told += step == "tell"
        elif frames := backlog.take():
            if (stuck := step == "fail") is True:
                backlog.put_back(frames, float(now))
            else:
                backlog.wrote()
                written += frames
        if stuck:
            waiting = Counter(found.session for found in backlog._frames if found.kind is Kind.AUDIO_IN)
            assert max(waiting.values(), default=0) <= KEPT
    backlog.wrote()
    while frames := backlog.take():
        written += frames
    assert len(written) + backlog.dropped == pushed
    assert [found.seq for found in written] == sorted(found.seq for found in written)
    assert sum(found.kind is Kind.DTMF for found in written) == told

"""Where a turn's time went: stages that follow each other, and are together what the caller waited for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.stopwatch import Stopwatch

MOMENT = st.floats(min_value=0, max_value=100)


def test_each_stage_is_where_the_caller_waited_for_it() -> None:
    """From the last sound to the first audio."""
    watch = Stopwatch(1.0, decided=1.3, transcribed=1.4, first_text=1.6, first_clause=1.7, first_audio=1.8)
    assert [stage.name for stage in watch.stages()] == ["end_of_turn", "stt", "agent", "clause", "tts"]
    assert [(stage.start_s, stage.end_s) for stage in watch.stages()] == [
        *((1.0, 1.3), (1.3, 1.4), (1.4, 1.6)),
        *((1.6, 1.7), (1.7, 1.8)),
    ]


def test_what_was_done_on_a_guess_takes_no_time() -> None:
    """Text and voice were there when the turn was over."""
    watch = Stopwatch(1.0, decided=1.5, transcribed=1.6, first_text=1.2, first_clause=1.3, first_audio=1.7)
    assert [(stage.name, stage.end_s) for stage in watch.stages()] == [("end_of_turn", 1.5), ("stt", 1.6), ("tts", 1.7)]


@given(end=MOMENT, decided=MOMENT, transcribed=MOMENT, text=st.none() | MOMENT, clause=st.none() | MOMENT, audio=MOMENT)
def test_stages_leave_no_gap_whatever_came_first(
    *, end: float, decided: float, transcribed: float, text: float | None, clause: float | None, audio: float
) -> None:
    """Their sum is the wait."""
    stages = Stopwatch(
        end, decided=decided, transcribed=transcribed, first_text=text, first_clause=clause, first_audio=audio
    ).stages()
    assert all(before.end_s == after.start_s for before, after in pairwise(stages))
    assert all(stage.start_s < stage.end_s for stage in stages)
    if audio > end:
        assert (stages[0].start_s, stages[-1].end_s) == (end, audio)
    else:
        assert stages == []

"""The fence: every frame of a session passes once, and no zombie speaks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from control.gateway.fence import Fence
from voicebackend.streams import Frame, Kind


def a_frame(epoch: int, seq: int) -> Frame:
    """Return a frame of the worker."""
    return Frame(session="a" * 32, kind=Kind.EVENT, epoch=epoch, seq=seq)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 20)), max_size=100))
def test_what_passes_only_ever_moves_forward(sent: list[tuple[int, int]]) -> None:
    """Whatever comes in whatever order, (epoch, seq) of what passes rises strictly."""
    fence = Fence()
    passed = [pair for pair in sent if fence.admits(a_frame(*pair))]
    assert passed == sorted(set(passed))


def test_frames_without_a_number_pass_in_their_epoch_only() -> None:
    """They are fenced, not counted."""
    fence = Fence()
    assert [fence.admits(a_frame(*pair)) for pair in [(2, 0), (2, 0), (1, 0), (3, 0), (2, 9)]] == [
        *(True, True, False, True, False)
    ]

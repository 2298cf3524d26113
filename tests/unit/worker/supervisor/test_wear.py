"""When a child has done enough, and what it tells of itself."""

from __future__ import annotations

import pytest

from worker.settings import SupervisorSettings
from worker.supervisor.pulse import Phase, Pulse
from worker.supervisor.wear import worn

READY = Pulse(phase=Phase.READY, rss_mb=100)


@pytest.mark.parametrize(
    ("settings", "sessions", "rss_mb", "why"),
    [
        (SupervisorSettings(), 1_000_000, 9_000, None),
        (SupervisorSettings(recycle_sessions=10), 9, 9_000, None),
        (SupervisorSettings(recycle_sessions=10), 10, 100, "sessions"),
        (SupervisorSettings(recycle_mb=50), 1_000, 149.9, None),
        (SupervisorSettings(recycle_mb=50), 0, 150, "memory"),
        (SupervisorSettings(recycle_mb=50), 0, 90, None),
    ],
    ids=["never", "not yet", "sessions", "grown too little", "memory", "shrunk"],
)
def test_a_child_is_worn_by_sessions_or_by_growth(
    settings: SupervisorSettings, sessions: int, rss_mb: float, why: str | None
) -> None:
    """Zero means never."""
    assert worn(Pulse(phase=Phase.READY, sessions=sessions, rss_mb=rss_mb), READY, settings) == why


def test_a_child_that_was_asked_to_end_is_replaced() -> None:
    """Whatever it has done."""
    assert worn(Pulse(phase=Phase.READY, relieved=True), READY, SupervisorSettings()) == "relieved"


def test_a_pulse_is_read_as_it_was_written() -> None:
    """One line each."""
    pulse = Pulse(phase=Phase.READY, sessions=3, rss_mb=99.5, relieved=True)
    assert pulse.encode().count(b"\n") == 1
    assert Pulse.decode(pulse.encode()) == pulse


@pytest.mark.parametrize("line", [b"", b"\n", b"\xff", b"[]", b"1", b'{"phase": "ready"}', b'{"phase": 1}', b"{"])
def test_a_line_that_is_no_pulse_is_refused(line: bytes) -> None:
    """With the one error that its reader expects."""
    with pytest.raises(ValueError, match=r".*"):
        Pulse.decode(line)

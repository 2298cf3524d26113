"""What admission answers of a tenant's day: over at midnight, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from task_harness import a_record

from control.sessions.slot_request import admitted, seconds_left
from control.sessions.slot_scripts import Slot
from voicebackend.errors import SessionLimitExceeded


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), 86_400),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 11, 23, 1, 0, tzinfo=timezone(timedelta(hours=3))), 7_200),
    ],
)
def test_a_day_of_minutes_is_over_at_midnight_utc(now: datetime, seconds: float) -> None:
    """Wherever the machine stands."""
    assert seconds_left(now) == seconds


def test_who_used_up_its_minutes_is_told_to_come_tomorrow() -> None:
    """Not in two seconds, as who finds no slot."""
    with pytest.raises(SessionLimitExceeded) as full:
        admitted(a_record(1), [Slot.FULL.value.encode()])
    assert full.value.retry_after == 2
    before = seconds_left(datetime.now(UTC))
    with pytest.raises(SessionLimitExceeded) as refused:
        admitted(a_record(1), [Slot.MINUTES.value.encode()])
    after = seconds_left(datetime.now(UTC))
    assert refused.value.retry_after is not None
    assert after <= refused.value.retry_after <= before or after > before  # or it was midnight meanwhile

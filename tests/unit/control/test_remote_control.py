"""Which of Celery's commands are left to a worker that only tells of itself."""

from __future__ import annotations

import pytest
from celery.worker.control import Panel

from control.remote_control import LOOKING, REFUSED, look_only

TOUCHING = {"shutdown", "revoke", "terminate", "cancel_consumer", "add_consumer", "pool_shrink", "rate_limit", "hello"}


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Give the test a list of commands of its own."""
    monkeypatch.setattr(Panel, "data", dict(Panel.data))
    return Panel.data  # type: ignore[return-value] # of handlers


def test_what_is_not_known_to_look_only_is_refused(commands: dict[str, object]) -> None:
    """Also what a newer Celery may add; the older names of what looks stay."""
    before = dict(commands)
    commands["of_a_newer_celery"] = lambda state: state
    look_only()
    kept = {name for name in commands if commands[name] is before.get(name)}
    assert kept >= LOOKING
    assert {before[name] for name in kept} == {before[name] for name in LOOKING}
    for name in TOUCHING | {"of_a_newer_celery"}:
        assert Panel.data[name]({}, task_id="t1") == {"error": REFUSED}


def test_the_mailbox_of_a_worker_reads_that_very_list() -> None:
    """Were it another, nothing would be refused."""
    before = Panel.data
    look_only()
    assert Panel.data is before

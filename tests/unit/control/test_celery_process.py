"""Celery's processes log as the deployment's others do, and let calls go first."""

from __future__ import annotations

from typing import Any

import pytest

from control import celery_process


def test_the_log_level_counts_for_celery_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the variable of every process."""
    told: dict[str, Any] = {}
    monkeypatch.setattr("voicebackend.process.configure", lambda service, **options: told.update(options))
    monkeypatch.setattr(celery_process, "QUIET", {})
    monkeypatch.setenv("VOICEBACKEND_LOG_LEVEL", "ERROR")
    celery_process._configure_once.__wrapped__()
    assert told["level"] == "ERROR"


@pytest.mark.parametrize(
    ("queues", "nice"),
    [
        (["retention"], [celery_process.NICE]),
        (["retention", "post_call"], [celery_process.NICE]),
        (["sessions", "retention"], []),
        (["agents"], []),
    ],
)
def test_only_a_worker_for_which_no_caller_waits_gives_way(
    queues: list[str], nice: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that serves another queue, too, is as urgent as that."""
    asked: list[int] = []
    monkeypatch.setattr("os.nice", asked.append)
    celery_process._give_way(queues)
    assert asked == nice

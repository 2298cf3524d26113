"""Celery's processes log as the deployment's others do."""

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

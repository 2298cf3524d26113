"""Celery's remote commands at a real worker: it tells of itself, and does nothing that it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery_harness import celery_worker
from kombu import pools

from control.celery import make_app
from control.remote_control import REFUSED
from voicebackend.settings import Deployment

pytestmark = pytest.mark.integration
COMMANDS: dict[str, dict[str, Any]] = {
    "shutdown": {},
    "revoke": {"task_id": "t1", "terminate": True, "signal": "KILL"},
    "terminate": {"signal": "KILL", "task_id": "t1"},
    "revoke_by_stamped_headers": {"headers": {"a": ["b"]}},
    "hello": {"from_node": "celery@else", "revoked": ["t1"]},
    "rate_limit": {"task_name": "agents.turn", "rate_limit": "1/d"},
    "time_limit": {"task_name": "agents.turn", "hard": 1},
    "pool_grow": {"n": 1000},
    "pool_shrink": {"n": 1},
    "pool_restart": {},
    "autoscale": {"max": 1, "min": 0},
    "add_consumer": {"queue": "agents"},
    "cancel_consumer": {"queue": "sessions"},
    "objgraph": {},
    "memdump": {},
    "election": {"id": "1", "topic": "task"},
}
LATE_S = 60.0


def test_a_worker_obeys_no_command_that_changes_it(deployment: Deployment, tmp_path: Path) -> None:
    """Not even one to end it; afterwards it serves its queue, no task is revoked, and it answers whoever looks."""
    pools.reset()  # they belong to the process, and another test may have killed what waits in them
    with celery_worker(deployment, tmp_path / "worker", "-Q", "sessions", "-P", "threads", "-c", "2") as worker:
        app = make_app(deployment)
        try:
            for name, arguments in COMMANDS.items():
                (told,) = app.control.broadcast(name, arguments=arguments, reply=True, timeout=LATE_S, limit=1)
                assert list(told.values()) == [{"error": REFUSED}], name
            look = app.control.inspect(timeout=LATE_S, limit=1)
            assert [queue["name"] for queue in _one(look.active_queues())] == ["sessions"]
            assert _one(look.revoked()) == []
            assert _one(look.stats())["pool"]["max-concurrency"] == 2
            assert _one(look.ping()) == {"ok": "pong"}
        finally:
            app.close()
        assert worker.process.poll() is None


def _one(told: dict[str, Any]) -> Any:
    (found,) = told.values()
    return found

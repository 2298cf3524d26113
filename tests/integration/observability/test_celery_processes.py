"""Celery's processes: forked ones serve figures of their own, and go on with the trace of whoever sent the task."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from celery_harness import celery_worker, eventually
from dashboards import names_served

from control.celery import make_app
from voicebackend.cli.stack import free_port
from voicebackend.settings import Deployment
from voicebackend.tasks import SESSIONS_CLOSE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TRACE = "c" * 32


def test_forked_processes_tell_each_for_itself_and_go_on_with_a_web_applications_trace(
    deployment: Deployment, tmp_path: Path
) -> None:
    """The application sends the task by Celery, with the header that its instrumentation sets."""
    first = free_port()
    chosen = ("-Q", "sessions", "-P", "prefork", "-c", "2")
    metrics = f"127.0.0.1:{first}-{min(first + 30, 65_535)}"
    with celery_worker(deployment, tmp_path / "celery", *chosen, VOICEBACKEND_METRICS=metrics) as worker:
        eventually(lambda: len([line for line in worker.logged() if line["message"] == "metrics served"]) == 2)
        ports = {int(line["port"]) for line in worker.logged() if line["message"] == "metrics served"}
        assert len(ports) == 2
        with make_app(deployment) as app:
            app.send_task(
                SESSIONS_CLOSE.name,
                kwargs={"session_id": "0" * 32, "reason": "hangup"},
                headers={"traceparent": f"00-{TRACE}-{'d' * 16}-01"},
            )
        eventually(lambda: any(line.get("trace_id") == TRACE for line in worker.logged()))
        served = [_read(port) for port in ports]
        assert all("backend_tasks_failed_total" in names_served(text) for text in served)
        assert any('backend_queue_age_seconds_count{queue="sessions"}' in text for text in served)
        assert worker.terminate() == 0


def _read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return str(response.read().decode())

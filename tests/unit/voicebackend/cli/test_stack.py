"""The development stack, with stand-ins for its processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicebackend.cli import stack
from voicebackend.cli.stack import Stack, free_port
from voicebackend.settings import Deployment

CONTROL = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["VOICEBACKEND_PORT"])), Ready).serve_forever()
"""
CELERY = """
import time
time.sleep(1)
print('{"message": "celery@here ready."}', flush=True)
time.sleep(60)
"""


async def test_it_is_ready_when_celery_takes_tasks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control alone is not enough: a session created before that would wait for Celery."""
    (tmp_path / "stand_in_control.py").write_text(CONTROL)
    (tmp_path / "stand_in_celery.py").write_text(CELERY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("VOICEBACKEND_REDIS_URL", "redis://nowhere")
    monkeypatch.setattr(stack, "_commands", lambda: {"control": ["stand_in_control"], "celery": ["stand_in_celery"]})
    heard: list[tuple[str, str]] = []
    async with Stack(Deployment(port=free_port()), {}, lambda name, line: heard.append((name, line))):
        assert ("celery", '{"message": "celery@here ready."}') in heard


RESTARTED = """
import os, sys, time
print('{"message": "celery@here ready."}', flush=True)
marker = os.path.join(os.path.dirname(__file__), "was-here")
if not os.path.exists(marker):
    open(marker, "w").close()
    time.sleep(0.5)
    sys.exit(75)
time.sleep(60)
"""


async def test_a_celery_worker_that_asks_for_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended because it took no tasks; the rest of the stack goes on, and its end is not the stack's."""
    (tmp_path / "stand_in_control.py").write_text(CONTROL)
    (tmp_path / "stand_in_celery.py").write_text(RESTARTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("VOICEBACKEND_REDIS_URL", "redis://nowhere")
    monkeypatch.setattr(stack, "_commands", lambda: {"control": ["stand_in_control"], "celery": ["stand_in_celery"]})
    again, heard = asyncio.Event(), list[str]()

    def hear(name: str, line: str) -> None:
        heard.append(line)
        if sum("celery@here" in one for one in heard) == 2:
            again.set()

    async with Stack(Deployment(port=free_port()), {}, hear) as running:
        dying = asyncio.create_task(running.died())
        async with asyncio.timeout(20):
            await again.wait()
        assert not dying.done()
        assert [process.name for process in running.processes] == ["control", "celery"]
        dying.cancel()

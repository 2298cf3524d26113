"""The development stack, with stand-ins for its processes."""

from __future__ import annotations

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

"""Several services in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICES = """
import contextlib, types
from voicebackend.errors import ProviderNotFound

@contextlib.asynccontextmanager
async def first(config, deployment, *, remote):
    print("first in", flush=True)
    try:
        yield types.SimpleNamespace(url="http://here", api_key="k")
    finally:
        print("first out", flush=True)

@contextlib.asynccontextmanager
async def second(config, deployment, *, remote):
    print("second in", config.provider, type(remote).__name__, flush=True)
    try:
        yield None
    finally:
        print("second out", flush=True)

@contextlib.asynccontextmanager
async def refused(config, deployment, *, remote):
    raise ProviderNotFound("start", "no provider of this name", details={"known": ["mock"]})
    yield

@contextlib.asynccontextmanager
async def broken(config, deployment, *, remote):
    raise RuntimeError("a secret")
    yield
"""


@pytest.fixture
def environ(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """Give an environment in which the services above can be found."""
    (tmp_path / "services_of_a_test.py").write_text(SERVICES)
    return {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "VOICEBACKEND_REDIS_URL": redis_url,
        "VOICEBACKEND_PROVIDER": "mock",
    }


def start(environ: dict[str, str], *names: str) -> subprocess.Popen[str]:
    """Start a host of these services."""
    command = [sys.executable, "-m", "voicebackend.host", *(f"services_of_a_test:{name}" for name in names)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("how", ["SIGTERM", "stdin"])
def test_services_start_in_order_and_end_in_the_other(environ: dict[str, str], how: str) -> None:
    """One line of JSON says that all are up; SIGTERM or the end of stdin ends them."""
    with start(environ, "first", "second") as host:
        assert host.stdin is not None
        assert host.stdout is not None
        assert [host.stdout.readline() for _ in range(2)] == ["first in\n", "second in mock Remote\n"]
        assert json.loads(host.stdout.readline()) == {"pid": host.pid, "url": "http://here", "api_key": "k"}
        if how == "stdin":
            host.stdin.close()
        else:
            host.send_signal(signal.SIGTERM)
        assert host.stdout.read() == "second out\nfirst out\n"
        assert host.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "refused",
            {"code": "provider_not_found", "message": "no provider of this name", "details": {"known": ["mock"]}},
        ),
        ("broken", {"code": "pipeline_error", "message": "RuntimeError at start: see the log", "details": {}}),
        (
            "missing",
            {
                "code": "invalid_config",
                "message": "service: module 'services_of_a_test' has no 'missing'",
                "details": {"field": "service"},
            },
        ),
    ],
)
def test_a_service_that_cannot_start_ends_the_host_with_its_reason(
    environ: dict[str, str], name: str, error: dict[str, Any]
) -> None:
    """What ran already is ended, the reason is told as JSON, and the exit code is 1."""
    with start(environ, "first", name) as host:
        told, _ = host.communicate(timeout=20)
        assert host.returncode == 1
    lines = told.splitlines()
    assert lines[:2] == ["first in", "first out"]
    assert json.loads(lines[2]) == {"error": error}

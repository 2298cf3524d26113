"""The API by its own description: what it allows, what it does not, and what follows from what came back."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
import yaml
from deployment import site
from fuzz_report import ONCE, SECONDS, note

pytestmark = ONCE
CONFIG = {"provider": "mock", "max_concurrent_sessions": 200}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "use_after_free",
)
SHORT_S, LONG_S = 20, 120
LEFT_OUT = ("sessions.levels", "sessions.events", "workers.drain", "config.update", "telephony.sip")
"""Streams that end with their session; what takes the worker, or the configuration, from all requests after it;
and what takes SIP, which is fuzzed by itself."""


@pytest.mark.integration
@pytest.mark.timeout(900)
async def test_the_api_keeps_to_its_description(tmp_path: Path) -> None:
    """Whatever it is asked: no 5xx but those it tells of, every answer as described, and no door open without a key."""
    seconds = LONG_S if SECONDS else SHORT_S
    async with site(CONFIG, workers=1, environment=_settings(tmp_path)) as running:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{running.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {running.api_key}", "--checks", ",".join(CHECKS)),
            *("--max-time", str(seconds), "--max-examples", "20", "--request-timeout", "30", "--continue-on-failure"),
            *("--suppress-health-check", "filter_too_much"),  # of ids in paths it may find few: it tries those
            *("--report", "ndjson", "--report-ndjson-path", str(tmp_path / "report.ndjson"), "--no-shrink"),
            *(part for one in LEFT_OUT for part in ("--exclude-operation-id", one)),
        ]
        begun = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        await running.until_ready(1)  # all processes live on
    assert process.returncode == 0, said.decode()[-20_000:]
    note("description", "openapi", _requests(tmp_path / "report.ndjson"), time.monotonic() - begun)


def _settings(folder: Path) -> dict[str, str]:
    """Return where the settings are that most routes need."""
    retention = {"store": f"file://{folder}/records", "subject_key": "k" * 32, "spool": str(folder / "spool")}
    retention["policies"] = [{"id": "words", "class": "transcript", "ttl": "P30D"}]  # type: ignore[assignment]
    telephony = {"trunks": {"main": {"carrier": "twilio", "secret": "0" * 32}}}
    for name, settings in {"retention": retention, "telephony": telephony}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return {f"VOICEBACKEND_{name.upper()}": str(folder / f"{name}.yaml") for name in ("retention", "telephony")}


def _requests(report: Path) -> int:
    """Return how many requests were sent."""
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    return len(lines)

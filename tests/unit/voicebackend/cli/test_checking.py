"""``voicebackend providers check``, with the process that tries."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vapi_double import VapiDouble

from providers.conformance.double import KEY
from voicebackend.cli.main import app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory of its own, and no configuration."""
    for name in ("VOICEBACKEND_CONFIG", "VOICEBACKEND_PROVIDER", "VAPI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


async def run(*arguments: str) -> Any:
    """Run the command in a thread, as it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["providers", "check", *arguments])


async def test_what_is_well_is_ok() -> None:
    """Exit code 0, and no provider was loaded by the command itself."""
    before = set(sys.modules)
    done = await run("mock")
    assert done.exit_code == 0
    assert "ok" in done.output
    assert not [name for name in set(sys.modules) - before if name.startswith("providers.mock")]


@pytest.mark.parametrize(("key", "exit_code", "shown"), [(KEY, 0, "ok"), ("sk-wrong", 1, "authentication_failed")])
async def test_the_credentials_of_a_configuration_are_tried(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str, exit_code: int, shown: str
) -> None:
    """Those of a file; what went wrong is told with what to do, and without the key."""
    monkeypatch.setenv("VAPI_API_KEY", key)
    async with VapiDouble() as double:
        file = home / "config.yaml"
        file.write_text(
            json.dumps({"provider": "vapi", "provider_config": {"assistant_id": "a", "api_url": double.url}})
        )
        done = await run("vapi", "--config", str(file))
        listed = await run("vapi", "--config", str(file), "--json")
    assert done.exit_code == listed.exit_code == exit_code
    assert shown in done.output
    assert key not in done.output + listed.output
    assert [one["role"] for one in json.loads(listed.output)] == ["provider", "s2s"]


async def test_a_name_that_there_is_not_is_an_error() -> None:
    """With those that there are."""
    done = await run("vappy", "--json")
    assert done.exit_code == 1
    [told] = json.loads(done.output)
    assert told["error"]["code"] == "provider_not_found"
    assert "vapi" in told["error"]["message"]

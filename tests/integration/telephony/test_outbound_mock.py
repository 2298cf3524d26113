"""Calls by the mock carrier on real processes: from library and command line to their end, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from deployment import Site, site
from typer.testing import CliRunner

from voicebackend import BackendConfig, VoiceBackend
from voicebackend.calls import AttemptEnd, CallRequest, CallState, CallView, CallWindow, Retries, Retry
from voicebackend.cli.main import app
from voicebackend.errors import InvalidConfig

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
ALWAYS = CallWindow.model_validate({"zone": "UTC", "from": "00:00", "until": "00:00"})
OVER = {CallState.DONE, CallState.FAILED, CallState.CANCELLED}
NUMBERS = {
    "+12025550101": {"outcomes": ["busy", "answered"], "ring": 0.2, "talk": 0.5},
    "+12025550102": {"outcomes": ["answered"], "ring": 0.2, "talk": 600},
    "+12025550103": {"outcomes": ["rejected"]},
    "*": {"ring": 0.2, "talk": 0.2},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Give a deployment that makes calls, with a scheduler."""
    file: Path = tmp_path_factory.mktemp("telephony") / "telephony.yaml"
    outbound = {"caller_ids": ["+14155550100"], "cps": 20}
    trunks = {"pretend": {"carrier": "mock", "outbound": outbound, "numbers": NUMBERS}}
    file.write_text(yaml.safe_dump({"trunks": trunks}))  # noqa: ASYNC240 - before anything runs
    async with site({"provider": "mock"}, workers=1, environment={"VOICEBACKEND_TELEPHONY": str(file)}) as running:
        await running.start("beat", "celery", "-A", "control", "beat")
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def backend(running: Site) -> AsyncIterator[VoiceBackend]:
    """Give the library."""
    config = BackendConfig(provider="mock")
    async with VoiceBackend(config, control_url=running.url, api_key=running.api_key) as backend:
        yield backend


async def reached(backend: VoiceBackend, call: CallView, *states: CallState) -> CallView:
    """Return the call once it is in one of these states."""
    async with asyncio.timeout(60):
        while (found := await backend.calls.get(call.id)).state not in states:  # noqa: ASYNC110 - told by other processes
            await asyncio.sleep(0.2)
    return found


def asked(number: str) -> CallRequest:
    """Return a request for a call at any hour, and again a second after it was busy."""
    return CallRequest(to=number, windows=(ALWAYS,), retries=Retries(busy=Retry(count=1, wait=1)))


async def test_a_call_is_made_until_it_is_answered(backend: VoiceBackend) -> None:
    """Busy first; one with the same key is the same call."""
    call = await backend.calls.create(asked("+12025550101"), key="once")
    assert (await backend.calls.create(asked("+12025550101"), key="once")).id == call.id
    done = await reached(backend, call, *OVER)
    assert [attempt.outcome for attempt in done.attempts] == [AttemptEnd.BUSY, AttemptEnd.COMPLETED]
    assert (done.state, done.from_, done.reason) == (CallState.DONE, "+14155550100", "completed")


async def test_a_call_that_lasts_is_called_off_and_one_that_is_rejected_fails(backend: VoiceBackend) -> None:
    """Within seconds."""
    lasts, rejected = [await backend.calls.create(asked(f"+1202555010{last}")) for last in (2, 3)]
    await reached(backend, lasts, CallState.IN_PROGRESS)
    await backend.calls.cancel(lasts.id)
    assert (await reached(backend, lasts, *OVER)).state is CallState.CANCELLED
    assert (await reached(backend, rejected, *OVER)).reason == "rejected"
    assert {lasts.id, rejected.id} <= {call.id for call in (await backend.calls.page()).calls}


async def test_the_command_line_makes_shows_and_calls_off(running: Site, backend: VoiceBackend) -> None:
    """And keeps numbers from being called."""
    where = ["--url", running.url, "--api-key", running.api_key]

    async def command(*words: str, code: int = 0) -> str:
        said = await asyncio.to_thread(CliRunner().invoke, app, ["calls", *words, *where])
        assert said.exit_code == code, said.output
        return said.output

    made = json.loads(await command("make", "+12025550104", "--any-hour", "--json"))
    await reached(backend, CallView.model_validate(made), CallState.DONE)
    assert "completed" in await command("show", made["id"])
    assert made["id"] in await command("--json")
    at = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    later = json.loads(await command("make", "+12025550105", "--at", at, "--json"))
    await command("cancel", later["id"])
    assert json.loads(await command("show", later["id"], "--json"))["state"] == "cancelled"
    await command("block", "+12025550106", "--reason", "asked")
    assert "do-not-call" in await command("make", "+12025550106", code=1)
    await command("unblock", "+12025550106")
    with pytest.raises(InvalidConfig):
        await backend.calls.create(CallRequest(to="+12025550106", trunk="other"))

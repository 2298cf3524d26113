"""``voicebackend records`` and ``retention`` as processes, against a real control process, Redis and folder."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from record_office import CONTENT, KEY, OTHER, USER, Office, office
from redis.asyncio import Redis
from typer.testing import CliRunner

from control.records.erasure import Erasures
from control.records.sweep import sweep
from control.sessions.store import SessionStore
from voicebackend.cli.main import app
from voicebackend.client.http import HttpApi
from voicebackend.client.records import RecordService
from voicebackend.errors import InvalidConfig, SessionNotFound
from voicebackend.retry import RetryPolicy
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
COMMAND = [sys.executable, "-c", "from voicebackend.cli.main import app; app()"]


@dataclass
class Done:
    """What a command came to."""

    code: int
    out: bytes
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that keeps records."""
    async with office(redis, deployment, tmp_path) as found:
        yield found


def environ(here: Office, key: str = KEY) -> dict[str, str]:
    """Return what tells a command where the backend is."""
    home = str(here.deployment.home)
    return {
        "VOICEBACKEND_CONTROL_URL": here.url,
        "VOICEBACKEND_API_KEY": key,
        "VOICEBACKEND_HOME": home,
        "COLUMNS": "200",
    }


async def command(here: Office, *words: str, key: str = KEY, stdin: str = "") -> Done:
    """Run a command against it, in a thread of this process."""
    runner = CliRunner(env=environ(here, key))
    done = await asyncio.to_thread(runner.invoke, app, words, input=stdin)
    return Done(done.exit_code, done.stdout_bytes, done.stderr)


async def process(here: Office, *words: str) -> Done:
    """Run a command as users do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    started = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        env={**kept, **environ(here)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await started.communicate()
    assert started.returncode is not None
    return Done(started.returncode, out, err.decode())


async def test_records_are_listed_fetched_and_linked_to(here: Office, tmp_path: Path) -> None:
    """To standard output and into a file that nobody else may read; a link is a line."""
    entry, file = await here.keep(), tmp_path / "transcript.json"
    whole, missing = await asyncio.gather(
        process(here, "records", "fetch", entry.id), process(here, "records", "fetch", "0" * 32)
    )
    assert (whole.code, whole.out) == (0, CONTENT)
    assert (missing.code, missing.out, missing.err) == (
        *(1, b""),
        "error session_not_found: there is no such record\n",
    )
    listed = await command(here, "records", "list", entry.session, "--json")
    assert [(one["id"], one["name"], one["size"]) for one in listed.told] == [
        (entry.id, "transcript.json", len(CONTENT))
    ]
    assert (await command(here, "records", "fetch", entry.id, "--range", "2-5", "-o", str(file))).code == 0
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (CONTENT[2:6], 0o600)
    link = await command(here, "records", "link", entry.id, "--expires-in", "60")
    async with here.http.get(link.out.decode().strip()) as answer:
        assert await answer.read() == CONTENT


ID = "0" * 32


@pytest.mark.parametrize(
    ("words", "key", "code", "said"),
    [
        (["records", "list", ID], KEY, 1, "error session_not_found: no records of such a session"),
        (["records", "fetch", ID, "-o", "gone"], KEY, 1, "error session_not_found: there is no such record"),
        (["records", "fetch", "RECORD", "--range", "999-", "-o", "gone"], KEY, 1, "error invalid_config: "),
        (["records", "link", "RECORD"], OTHER, 1, "error session_not_found: "),
        (["retention", "release", "x"], "wrong-key-0123456789", 1, "error authentication_failed: "),
        (
            ["retention", "export", USER, "-o", "none/person.zip"],
            KEY,
            1,
            "error invalid_config: none/person.zip cannot",
        ),
        (["records", "fetch", ID, "--range", "5-2"], KEY, 2, ""),
        (["records", "link", ID, "--expires-in", "604801"], KEY, 2, ""),
        (["retention", "hold", "--reason", "r"], KEY, 2, ""),
        (["retention", "export", USER], KEY, 2, ""),
    ],
)
async def test_what_goes_wrong_is_told_by_its_code(
    here: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, words: list[str], key: str, code: int, said: str
) -> None:
    """1 and the code on one line, 2 for what cannot be asked; no file is left."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    entry = await here.keep()
    wrong = await command(here, *(entry.id if word == "RECORD" else word for word in words), key=key)
    assert (wrong.code, wrong.err.splitlines()[-1].startswith(said)) == (code, True), wrong.err
    assert os.listdir(folder) == []  # noqa: PTH208 - nothing else goes on in this loop


async def test_a_person_is_exported_held_and_erased(here: Office, redis: Redis, tmp_path: Path) -> None:
    """From the zip to the receipt; a name can come by standard input, and the audit tells of all of it."""
    entry, file = await here.keep(), tmp_path / "person.zip"
    exported = await command(here, "retention", "export", "-", "-o", str(file), stdin=f"{USER}\n")
    assert exported.code == 0, exported.err
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        assert archive.read(f"{entry.session}/transcript/transcript.json") == CONTENT
    hold = await command(here, "retention", "hold", "--reason", "case 12", "--subject", USER, "--json")
    assert (hold.code, hold.told["held"]) == (0, 1)
    asked = await command(here, "retention", "erase", USER, "--json")
    assert (asked.code, asked.told["state"]) == (0, "received")
    assert "retention.erase" in here.tasks.published
    erasures = Erasures(redis, here.deployment.keys, SessionStore(redis, here.deployment.keys), here.cabinet)
    await erasures.go_on()
    id_ = asked.told["id"]
    held = await command(here, "retention", "erasure", id_, "--wait", "30", "--json")
    assert (held.code, held.told["state"], held.told["held"]) == (3, "partial", 1)
    listed = await command(here, "retention", "holds", "--json")
    assert [one["reason"] for one in listed.told] == ["case 12"]
    assert (await command(here, "retention", "release", hold.told["id"])).code == 0
    assert await erasures.go_on() == 0
    waiting = asyncio.create_task(command(here, "retention", "erasure", id_, "--wait", "60"), name="waiting")
    assert await sweep(here.cabinet.index, here.cabinet.objects) == 1
    assert await erasures.go_on() == 1
    done = await waiting
    assert (done.code, b"done" in done.out) == (0, True), done.err
    audit = await command(here, "retention", "audit", "--json")
    told = [one["action"] for one in audit.told["entries"]]
    assert told == ["hold.lifted", "erasure.asked", "hold.placed", "data.exported"]


async def test_the_client_reads_records_as_the_command_line_does(here: Office) -> None:
    """Typed, piece by piece, with errors of ours."""
    api = HttpApi(here.url, KEY, policy=RetryPolicy(max_retries=0), timeout_s=10)
    await api.open()
    try:
        service, data = RecordService(api), os.urandom(600_000)
        entry = await here.keep(data=data)
        assert b"".join([piece async for piece in service.content(entry.id)]) == data
        assert b"".join([piece async for piece in service.content(entry.id, start=5, end=500_000)]) == data[5:500_000]
        assert [one.sha256 for one in await service.of_session(entry.session)] == [entry.sha256]
        with pytest.raises(SessionNotFound):
            await anext(service.content("0" * 32))
        with pytest.raises(InvalidConfig):
            await service.link(entry.id, expires_in=0)
        with pytest.raises(InvalidConfig):
            await service.hold("r", session=entry.session, everything=True)
        placed = await service.hold("r", session=entry.session)
        assert [one.id for one in await service.holds()] == [placed.id]
        assert (await service.audit()).entries[0].about == placed.id
    finally:
        await api.aclose()

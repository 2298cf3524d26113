"""An export has what Redis still has of a person's sessions, too: those that run, and those that ended just now."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from record_office import USER, Office, office
from redis.asyncio import Redis
from task_harness import a_placed_record, say, task_context

from control.records import export as exporting
from voicebackend.errors import ErrorCode
from voicebackend.session import SessionState
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def exported(here: Office) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the archive's index, and its files by name."""
    with zipfile.ZipFile(io.BytesIO(await here.ask("POST", "/v1/exports", json={"subject": USER}))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(files.pop("index.json")), files


async def test_an_export_has_sessions_that_run_and_that_ended_just_now(
    redis: Redis, deployment: Deployment, tmp_path: Path
) -> None:
    """The session, every word of its log, and what a turn was to answer; of nobody else, and what is stored besides."""
    async with office(redis, deployment, tmp_path) as here, task_context(here.deployment) as shared:
        kept = await here.keep()
        runs, ended = a_placed_record(1, user_id=USER), a_placed_record(2, user_id=USER)
        for record in (runs, ended, a_placed_record(3), a_placed_record(4, user_id=USER, tenant="other")):
            await shared.store.create(record)
            await say(shared, record.id, 1, f"the canary sings in {record.id}")
        turn = here.deployment.keys.turn(runs.id, 2)
        await redis.hset(turn, "said", "and at ni")  # type: ignore[misc]
        await redis.expire(turn, 60)
        await shared.store.move(ended.id, SessionState.ENDED)
        index, files = await exported(here)
    assert [one["session"] for one in index["objects"]] == [kept.session]
    told = {one["session"]: (one["state"], one["files"]) for one in index["sessions"]}
    names = {record.id: [f"{record.id}/live/session.json", f"{record.id}/live/log.json"] for record in (runs, ended)}
    names[runs.id].append(f"{runs.id}/live/turns.json")
    assert told == {runs.id: ("active", names[runs.id]), ended.id: ("ended", names[ended.id])}
    assert set(files) == {f"{kept.session}/transcript/transcript.json", *names[runs.id], *names[ended.id]}
    log = json.loads(files[f"{runs.id}/live/log.json"])
    assert [entry["text"] for entry in log if entry["type"] == "transcript"] == [f"the canary sings in {runs.id}"]
    assert json.loads(files[f"{runs.id}/live/turns.json"]) == {"2": "and at ni"}
    assert json.loads(files[f"{ended.id}/live/session.json"])["user_id"] == USER


async def test_an_export_that_is_too_large_is_refused(
    redis: Redis, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Redis has counts, too."""
    monkeypatch.setattr(exporting, "MAX_BYTES", 100)
    async with office(redis, deployment, tmp_path) as here, task_context(here.deployment) as shared:
        await shared.store.create(a_placed_record(1, user_id=USER))
        _, code = await here.status("POST", "/v1/exports", json={"subject": USER})
    assert code == ErrorCode.SESSION_LIMIT_EXCEEDED


async def test_one_object_that_cannot_be_decrypted_does_not_keep_the_others_back(
    redis: Redis, deployment: Deployment, tmp_path: Path
) -> None:
    """It is told which that is."""
    secret = replace(deployment, records_key="s" * 32)
    async with office(redis, secret, tmp_path, encrypt=True) as here:
        whole, changed = await here.keep(), await here.keep()
        path = tmp_path / "records" / changed.path
        sealed = path.read_bytes()
        path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
        index, files = await exported(here)
    assert [one["session"] for one in index["objects"]] == [whole.session]
    assert [one["session"] for one in index["unreadable"]] == [changed.session]
    assert set(files) == {f"{whole.session}/transcript/transcript.json"}

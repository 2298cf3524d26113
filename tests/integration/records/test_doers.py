"""Who did something is told by a hash, where that is a person: their name is nowhere that an erasure leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from record_office import KEY, OTHER, Office, office
from redis.asyncio import Redis
from task_harness import a_placed_record

from control.sessions.store import SessionStore
from voicebackend.hooks import AuthResult
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
ADA = "key-ada@example.com"
"""A user of a hook's, whose id looks like one of ours."""


class Known:
    """An AuthHook that knows everybody."""

    async def authenticate(self, token: str, metadata: Any) -> AuthResult:
        return AuthResult(user_id=ADA, authorized=True, tenant="default")

    async def authorize(self, *_: Any) -> bool:
        return True


async def done(here: Office, redis: Redis) -> list[str]:
    """Do all that is noted; return who did it, as notes, answers and proofs say."""
    record = a_placed_record(user_id="bob")
    await SessionStore(redis, here.deployment.keys).create(record)
    await here.ask("POST", f"/v1/sessions/{record.id}/consent", json={"classes": ["audio"], "text_version": "3"})
    entry = await here.keep(here.finished(user="bob"))
    await here.ask("GET", f"/v1/records/{entry.id}")
    await here.ask("POST", f"/v1/records/{entry.id}/link")
    hold = await here.ask("POST", "/v1/holds", json={"everything": True, "reason": "case 12"})
    await here.ask("POST", "/v1/exports", json={"subject": "bob"})
    erasure = await here.ask("POST", "/v1/erasures", json={"subject": "bob"})
    await here.ask("DELETE", f"/v1/holds/{hold['id']}")
    audit = await here.ask("GET", "/v1/audit")
    [said] = (await SessionStore(redis, here.deployment.keys).get(record.id)).consent
    assert len(audit["entries"]) == 6
    return [hold["by"], erasure["by"], str(said["by"]), *(entry["by"] for entry in audit["entries"])]


async def test_a_user_of_an_auth_hook_is_told_by_a_keyed_hash(
    redis: Redis, deployment: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever names them finds what they did; Redis and the log have them nowhere by name."""
    caplog.set_level("INFO")
    async with office(redis, deployment, tmp_path, auth_hook=Known()) as here:
        assert set(await done(here, redis)) == {f"subject-{here.cabinet.subjects.of('default', ADA)}"}
    everything = [await redis.dump(key) async for key in redis.scan_iter()]
    assert everything
    assert not [one for one in everything if ADA.encode() in (one or b"")]
    assert "ada@example.com" not in caplog.text + str([vars(one) for one in caplog.records])


async def test_keys_of_ours_are_told_by_their_digest(redis: Redis, deployment: Deployment, tmp_path: Path) -> None:
    """They are nobody's name."""
    async with office(redis, deployment, tmp_path) as here:
        [by] = set(await done(here, redis))
        assert by.startswith("key-")


async def test_who_makes_rotates_and_revokes_a_key_is_noted(
    redis: Redis, deployment: Deployment, tmp_path: Path
) -> None:
    """With the key's id and scopes, never its secret."""
    async with office(redis, deployment, tmp_path) as here:
        made = await here.ask("POST", "/v1/keys", json={"name": "ci", "scopes": ["calls:read", "sessions:write"]})
        new = await here.ask("POST", f"/v1/keys/{made['id']}/rotate")
        await here.ask("DELETE", f"/v1/keys/{made['id']}")
        entries = (await here.ask("GET", "/v1/audit"))["entries"]
    scopes = "calls:read sessions:write"
    assert [(entry["action"], entry["about"]) for entry in reversed(entries)] == [
        ("key.made", f"key-{made['id']} {scopes}"),
        ("key.rotated", f"key-{made['id']} key-{new['id']} {scopes}"),
        ("key.revoked", f"key-{made['id']} {scopes}"),
    ]
    [by] = {entry["by"] for entry in entries}
    assert by.startswith("key-")
    assert made["key"].rpartition("_")[2] not in str(entries)


async def test_how_the_store_stands_is_for_operators(redis: Redis, deployment: Deployment, tmp_path: Path) -> None:
    """Another tenant's key gets 403, as one of the operator's without the scope; nobody's 401."""
    async with office(redis, deployment, tmp_path) as here:
        reader, writer = [
            (await here.ask("POST", "/v1/keys", json={"name": f"key-{len(scopes)}", "scopes": scopes}))["key"]
            for scopes in (["retention:read"], ["records:write", "sessions:read"])
        ]
        assert (await here.ask("GET", "/v1/retention", key=reader))["enabled"] is True
        assert await here.status("GET", "/v1/retention", key=writer) == (403, "authorization_failed")
        assert (await here.ask("GET", "/v1/retention", key=KEY))["enabled"] is True
        assert await here.status("GET", "/v1/retention", key=OTHER) == (403, "authorization_failed")
        assert (await here.status("GET", "/v1/retention", key="nobody's"))[0] == 401

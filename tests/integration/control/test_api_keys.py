"""API keys that are made while a deployment runs: shown once, kept as MACs, scoped, rotated, revoked."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from control.access.key_store import KeyStore, new_key
from voicebackend.errors import AuthenticationFailed, SessionNotFound
from voicebackend.settings import Deployment

OTHER_KEY = "other-key-0123456789"


async def made(api: Any, *, key: str | None = None, **body: Any) -> dict[str, Any]:
    """Make a key."""
    sent = {"key": key} if key else {}
    answer = await api.send("POST", "/v1/keys", json={"name": "ci", **body}, **sent)
    assert answer.status == 201, await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(await answer.json())


async def opens(api: Any, key: str, path: str = "/v1/sessions") -> int:
    """Return the status of a request with a key."""
    return int((await api.send("GET", path, key=key)).status)


async def test_a_key_is_shown_once_and_kept_as_no_key(api: Any, redis: Redis, deployment: Deployment) -> None:
    """It opens; the list, and all that lies in Redis, have nothing of its secret."""
    issued = await made(api, scopes=["sessions:write", "calls:read"])
    assert issued["key"].startswith(f"vk_live_{issued['id']}_")
    assert await opens(api, issued["key"]) == 200
    listed = (await (await api.send("GET", "/v1/keys")).json())["keys"]
    assert [one["id"] for one in listed] == [issued["id"]]
    secret = issued["key"].removeprefix(f"vk_live_{issued['id']}_")
    assert secret not in json.dumps(listed)
    kept = await redis.hgetall(deployment.keys.api_key(issued["id"]))
    assert secret not in str(kept)
    assert await redis.ttl(deployment.keys.api_key(issued["id"])) == -1


async def test_a_key_does_what_its_scopes_say_and_makes_none_that_does_more(api: Any) -> None:
    """403 with the scope's name; a key that may make keys hands on no more than it has."""
    reader = (await made(api, name="reader", scopes=["sessions:read"]))["key"]
    assert await opens(api, reader) == 200
    assert await api.problem("GET", "/v1/keys", key=reader) == (403, "authorization_failed")
    assert await api.problem("POST", "/v1/sessions", key=reader, json={}) == (403, "authorization_failed")
    maker = (await made(api, name="maker", scopes=["keys:write", "sessions:read"]))["key"]
    wider = {"name": "wider", "scopes": ["sessions:write"]}
    assert await api.problem("POST", "/v1/keys", key=maker, json=wider) == (403, "authorization_failed")
    assert (await made(api, key=maker, name="same", scopes=["sessions:read"]))["scopes"] == ["sessions:read"]
    whole = await made(api, name="whole")
    assert await api.problem("POST", f"/v1/keys/{whole['id']}/rotate", key=maker) == (403, "authorization_failed")


async def test_two_keys_of_a_name_open_while_one_is_rotated(api: Any) -> None:
    """A third is refused; the one before ends with its grace, at once if that is 0."""
    old = await made(api)
    assert await api.problem("POST", "/v1/keys", json={"name": "ci"}) == (400, "invalid_config")
    new = await (await api.send("POST", f"/v1/keys/{old['id']}/rotate")).json()
    assert [await opens(api, one["key"]) for one in (old, new)] == [200, 200]
    assert await api.problem("POST", f"/v1/keys/{new['id']}/rotate") == (400, "invalid_config")
    listed = (await (await api.send("GET", "/v1/keys")).json())["keys"]
    assert [one["expires_at"] is None for one in listed] == [False, True]
    assert (await api.send("DELETE", f"/v1/keys/{old['id']}")).status == 204
    assert [await opens(api, one["key"]) for one in (old, new)] == [401, 200]
    last = await (await api.send("POST", f"/v1/keys/{new['id']}/rotate", json={"grace": 0})).json()
    assert [await opens(api, one["key"]) for one in (new, last)] == [401, 200]


async def test_a_key_that_was_revoked_gets_no_successor(redis: Redis, deployment: Deployment) -> None:
    """Though it was still there when its rotation was asked for; and nothing is left of it that is no key."""
    store = KeyStore(redis, deployment.keys, "a-secret-of-at-least-32-bytes-long")
    old = await store.create(new_key("ci", "acme", ["*"]))
    await store.revoke(old.id, "acme")
    with pytest.raises(SessionNotFound):
        await store.create(new_key("ci", "acme", ["*"]), before=old.id, grace_s=60)
    assert await store.of("acme") == []
    assert await redis.exists(deployment.keys.api_key(old.id)) == 0
    with pytest.raises(AuthenticationFailed):
        await store.find(old.key)


async def test_who_writes_in_redis_can_neither_widen_a_key_nor_move_it(
    api: Any, redis: Redis, deployment: Deployment
) -> None:
    """Tenant and scopes are under the MAC: a changed record opens nothing."""
    issued = await made(api, scopes=["sessions:read"])
    where = deployment.keys.api_key(issued["id"])
    for field, forged in (("scopes", '["*"]'), ("tenant", "other")):
        before = await redis.hget(where, field)
        await redis.hset(where, field, forged)
        assert await opens(api, issued["key"]) == 401
        await redis.hset(where, field, before)
    assert await opens(api, issued["key"]) == 200


async def test_keys_are_a_tenants_own_and_the_operator_makes_the_first(api: Any) -> None:
    """Another tenant's key is not there; only the operator's may ask for another tenant."""
    acme = await made(api, tenant="acme", scopes=["*"])
    assert acme["tenant"] == "acme"
    assert (await (await api.send("GET", "/v1/keys")).json())["keys"] == []
    assert len((await (await api.send("GET", "/v1/keys?tenant=acme")).json())["keys"]) == 1
    foreign = await api.send("DELETE", f"/v1/keys/{acme['id']}", key=OTHER_KEY)
    never = await api.send("DELETE", f"/v1/keys/{'0' * 16}", key=OTHER_KEY)
    assert foreign.status == never.status == 404
    for method, path in (("GET", "/v1/keys?tenant=acme"), ("DELETE", f"/v1/keys/{acme['id']}?tenant=acme")):
        assert await api.problem(method, path, key=OTHER_KEY) == (403, "authorization_failed")
    assert await api.problem("GET", "/v1/config", key=acme["key"]) == (403, "authorization_failed")
    assert await opens(api, acme["key"]) == 200


async def test_what_is_no_key_opens_nothing(api: Any) -> None:
    """An id without its secret, another's secret, odd characters, a key that was revoked."""
    one, two = await made(api, name="one"), await made(api, name="two")
    mixed = one["key"][:25] + two["key"][25:]
    for wrong in (one["key"][:-1], one["key"] + "A", mixed, f"vk_live_{one['id']}_", "vk_live_*", one["key"].upper()):
        assert await opens(api, wrong) == 401


async def test_bodies_that_are_wrong_are_refused_by_field(api: Any) -> None:
    """Unknown scopes, no scopes, a name with odd characters, a grace that never ends."""
    wrong: list[dict[str, Any]] = [
        {"name": "x", "scopes": ["sessions:delete"]},
        {"name": "x", "scopes": []},
        {"name": "x\n"},
        {"name": "x", "tenant": "a:b"},
        {"name": "x", "secret": "mine"},
    ]
    for body in wrong:
        assert await api.problem("POST", "/v1/keys", json=body) == (400, "invalid_config")
    issued = await made(api)
    for grace in (-1, 10**9, "soon"):
        path = f"/v1/keys/{issued['id']}/rotate"
        assert await api.problem("POST", path, json={"grace": grace}) == (400, "invalid_config")


async def test_the_command_line_makes_lists_rotates_and_revokes(api: Any, tmp_path: Path) -> None:
    """The key alone is on standard output, so that a script can take it."""

    async def voicebackend(*arguments: str) -> str:
        command = Path(sys.executable).with_name("voicebackend")
        env = {**os.environ, "VOICEBACKEND_HOME": str(tmp_path), "VOICEBACKEND_CONTROL_URL": api.serving.url}
        env["VOICEBACKEND_API_KEY"] = api.serving.api_key
        process = await asyncio.create_subprocess_exec(
            command, "keys", *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode().strip()

    key = await voicebackend("create", "ci", "--scope", "sessions:write")
    assert await opens(api, key) == 200
    (listed,) = json.loads(await voicebackend("list", "--json"))
    assert listed["scopes"] == ["sessions:write"]
    new = json.loads(await voicebackend("rotate", listed["id"], "--grace", "0", "--json"))
    assert [await opens(api, one) for one in (key, new["key"])] == [401, 200]
    await voicebackend("revoke", new["id"])
    assert await opens(api, new["key"]) == 401

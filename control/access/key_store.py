"""API keys that were made while a deployment runs: kept as MACs, two of a name while one is rotated.

A MAC is made with the deployment's secret over the key and over what it may do. So who reads Redis learns no key, and
who writes there can make none, nor widen one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import Any, cast

from redis.asyncio import Redis

from control.access.key_scripts import ADD
from control.access.principal import Principal
from voicebackend._redis import redis_errors
from voicebackend.api_keys import PREFIX, KeyIssued, KeyView, split
from voicebackend.errors import AuthenticationFailed, InvalidConfig, SessionLimitExceeded, SessionNotFound
from voicebackend.keys import Keys

MAX_KEYS = 200
"""Keys that one tenant may have."""
_OP = "api_keys"
_REFUSED = {
    "active": "name: there is an active key of this name: rotate it, or revoke it first",
    "rotating": "this key is being rotated already: revoke the one before, or wait until it has expired",
}


class KeyStore:
    """Keeps keys; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys, secret: str) -> None:
        self._redis, self._keys = redis, keys
        self._secret = hashlib.sha256(b"voicebackend api keys\0" + secret.encode()).digest()
        self._add = redis.register_script(ADD)

    async def find(self, key: str) -> Principal:
        """Return whose key this is, in a time that does not depend on how much of it is right.

        Raises:
            AuthenticationFailed: nobody's, or no longer anybody's.

        """
        parts = split(key)
        if parts is None:
            raise AuthenticationFailed("authenticate", "the API key is not known")
        raw = await self._read(parts[0])
        known = _view(raw) if raw else None
        mac = self._mac(known, parts[1]) if known else self._mac_of_nobody(parts[1])
        if not (known and hmac.compare_digest(mac, raw.get("mac", "")) and not _expired(known)):
            raise AuthenticationFailed("authenticate", "the API key is not known")
        return Principal(tenant=known.tenant, user_id=f"key-{known.id}", scopes=frozenset(known.scopes))

    async def create(self, view: KeyView, *, before: str = "", grace_s: int = 0) -> KeyIssued:
        """Keep a new key and return it with its secret; ``before`` is the id of one that it takes the place of.

        Raises:
            InvalidConfig: the tenant has an active key of this name, or two.
            SessionLimitExceeded: the tenant has as many keys as it may.
            SessionNotFound: the one before was revoked meanwhile.

        """
        secret = secrets.token_urlsafe(32)
        kept = {**view.model_dump(exclude={"scopes", "expires_at"}), "scopes": json.dumps(view.scopes)}
        fields = [str(part) for pair in {**kept, "mac": self._mac(view, secret)}.items() for part in pair]
        plan = {"id": view.id, "name": view.name, "before": before, "now": time.time(), "grace": grace_s}
        keys = [self._keys.api_keys(view.tenant), self._keys.api_key("")]
        with redis_errors(_OP):
            verdict: Any = await self._add(keys, [json.dumps({**plan, "most": MAX_KEYS}), *fields])
        self._check(verdict.decode())
        return KeyIssued(**view.model_dump(), key=f"{PREFIX}{view.id}_{secret}")

    async def get(self, key_id: str, tenant: str) -> KeyView:
        """Return a key of this tenant; raises SessionNotFound if it has none of this id."""
        raw = await self._read(key_id) if split(f"{PREFIX}{key_id}_{'x' * 43}") else {}
        if not raw or raw.get("tenant") != tenant or _expired(_view(raw)):
            raise SessionNotFound(_OP, "there is no such key")
        return _view(raw)

    async def of(self, tenant: str) -> list[KeyView]:
        """Return a tenant's keys that open, oldest first."""
        with redis_errors(_OP):
            ids: Any = await cast("Any", self._redis.smembers(self._keys.api_keys(tenant)))
        found = [_view(raw) for raw in [await self._read(one.decode()) for one in ids] if raw]
        return sorted((one for one in found if not _expired(one)), key=lambda one: one.created_at)

    async def revoke(self, key_id: str, tenant: str) -> None:
        """Have a key open no more, from the next request on; raises SessionNotFound as :meth:`get`."""
        await self.get(key_id, tenant)
        with redis_errors(_OP):
            await self._redis.delete(self._keys.api_key(key_id))
            await cast("Any", self._redis.srem(self._keys.api_keys(tenant), key_id))

    async def _read(self, key_id: str) -> dict[str, str]:
        with redis_errors(_OP):
            raw: Any = await cast("Any", self._redis.hgetall(self._keys.api_key(key_id)))
        return {name.decode(): value.decode() for name, value in raw.items()}

    def _mac(self, view: KeyView, secret: str) -> str:
        said = json.dumps([view.id, view.tenant, sorted(view.scopes), secret])
        return hmac.new(self._secret, said.encode(), hashlib.sha256).hexdigest()

    def _mac_of_nobody(self, secret: str) -> str:
        return self._mac(KeyView(id="", name="", tenant="", scopes=[], created_at=0), secret)

    def _check(self, verdict: str) -> None:
        if verdict == "many":
            message = f"a tenant has at most {MAX_KEYS} keys: revoke one"
            raise SessionLimitExceeded(_OP, message, details={"limit": "keys"})
        if verdict == "gone":
            raise SessionNotFound(_OP, "there is no such key")
        if verdict in _REFUSED:
            raise InvalidConfig(_OP, _REFUSED[verdict], details={"field": "name"})


def new_key(name: str, tenant: str, scopes: Any) -> KeyView:
    """Return a key that nobody has yet."""
    return KeyView(id=secrets.token_hex(8), name=name, tenant=tenant, scopes=scopes, created_at=time.time())


def _view(raw: dict[str, str]) -> KeyView:
    told: dict[str, Any] = {**raw, "scopes": json.loads(raw["scopes"]), "expires_at": raw.get("expires_at")}
    return KeyView.model_validate({name: told[name] for name in KeyView.model_fields})


def _expired(view: KeyView) -> bool:
    return view.expires_at is not None and view.expires_at <= time.time()

"""Where a tenant wants to be told of what happens; secrets lie sealed beside it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, cast

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.deployment_secret import token_secret
from voicebackend.errors import InvalidConfig, SessionNotFound
from voicebackend.guarded_http import check_url
from voicebackend.keys import Keys
from voicebackend.sealing import Seal
from voicebackend.settings import Deployment
from voicebackend.webhook_endpoints import MAX_ENDPOINTS, EndpointView
from voicebackend.webhooks import EventType

ROTATION_S = 24 * 3600
"""Seconds for which a secret that was replaced still signs beside the new one."""
MAX_OLD = 4
"""Secrets that sign beside the new one, at most."""
_OP = "webhooks"
_SECRET_BYTES = 32
_ADD = """
-- KEYS endpoints; ARGV id, what it is, most
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
_REPLACE = """
-- KEYS endpoints; ARGV id, what it was, what it is
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint as it is kept."""

    id: str
    url: str
    events: Sequence[str]
    """Of these types; of all if empty."""
    sealed: str
    """The secret that signs."""
    created_at: float
    old: Sequence[tuple[str, float]] = ()
    """Secrets before it, newest first: each sealed, with the seconds since the epoch at which it was replaced."""
    declared: bool = False
    """In the deployment's file, which alone changes it; its secrets sign for as long as the file has them."""

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what is kept; what a newer version keeps beside it is passed over."""
        told = json.loads(text)
        known = {item.name: told[item.name] for item in fields(cls) if item.name in told}
        return cls(**{**known, "old": tuple((sealed, at) for sealed, at in known.get("old", ()))})

    def to_json(self) -> str:
        """Return what is kept."""
        return json.dumps(asdict(self))

    def old_at(self, now: float) -> list[tuple[str, float]]:
        """Return the secrets before that still sign."""
        return [(sealed, at) for sealed, at in self.old if self.declared or now - at < ROTATION_S]

    def wants(self, event: EventType) -> bool:
        """Tell whether it is told of events of this type."""
        return not self.events or event in self.events

    def view(self) -> EndpointView:
        """Return it as the API shows it."""
        about = {"events": list(self.events), "created_at": self.created_at, "declared": self.declared}
        return EndpointView(id=self.id, url=self.url, **about)


class Endpoints:
    """Adds, lists and removes endpoints; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, deployment: Deployment) -> None:
        self._redis, self._keys, self._deployment = redis, deployment.keys, deployment

    async def add(self, tenant: str, url: str, events: Sequence[EventType]) -> tuple[Endpoint, str]:
        """Add an endpoint; return it with its secret, which nobody shows again.

        Raises:
            InvalidConfig: the URL may not be asked, or the tenant has 16 already.

        """
        check_url(url, field="url", private=self._deployment.private_webhooks)
        secret, seal = _new_secret(), await self._seal(tenant)
        wanted = [event.value for event in dict.fromkeys(events)]
        made = Endpoint(
            id=secrets.token_hex(8), url=url, events=wanted, sealed=seal.seal(secret), created_at=time.time()
        )
        with redis_errors(_OP):
            args = (self._keys.webhook_endpoints(tenant), made.id, made.to_json(), MAX_ENDPOINTS)
            added: Any = await cast("Any", self._redis.eval(_ADD, 1, *map(str, args)))
        if not added:
            message = f"webhooks: {MAX_ENDPOINTS} at most; remove one first"
            raise InvalidConfig(_OP, message, details={"field": "webhooks"})
        return made, secret

    async def declared(
        self, tenant: str, id_: str, url: str, events: Sequence[EventType], secrets_: Sequence[str]
    ) -> Endpoint:
        """Return an endpoint as a file declares it, with the secret that signs and the one before, if there is one."""
        seal = await self._seal(tenant)
        sealed, *old = (seal.seal(one) for one in secrets_)
        now = time.time()
        wanted = [event.value for event in dict.fromkeys(events)]
        return Endpoint(
            id=id_,
            url=url,
            events=wanted,
            sealed=sealed,
            old=[(one, now) for one in old],
            created_at=now,
            declared=True,
        )

    async def all(self, tenant: str) -> list[Endpoint]:
        """Return a tenant's endpoints, oldest first."""
        return await endpoints_of(self._redis, self._keys, tenant)

    async def find(self, tenant: str, id_: str) -> Endpoint | None:
        """Return one endpoint; None if it is not there, any more."""
        told = await self._read(tenant, id_)
        return None if told is None else Endpoint.from_json(told)

    async def _read(self, tenant: str, id_: str) -> bytes | None:
        with redis_errors(_OP):
            told: Any = await cast("Any", self._redis.hget(self._keys.webhook_endpoints(tenant), id_))
        return None if told is None else bytes(told)

    async def remove(self, tenant: str, id_: str) -> None:
        """Remove an endpoint: what is on its way there is given up.

        Raises:
            SessionNotFound: there is no such endpoint.
            InvalidConfig: the deployment's file declares it.

        """
        _check_ours(await self.find(tenant, id_))
        with redis_errors(_OP):
            gone: Any = await cast("Any", self._redis.hdel(self._keys.webhook_endpoints(tenant), id_))
        if not gone:
            raise _missing()

    async def rotate(self, tenant: str, id_: str) -> tuple[Endpoint, str]:
        """Give an endpoint a new secret, and return both; each one before it signs too, for a day from its end.

        So nobody's secret is lost where an answer was lost and this is asked again.

        Raises:
            SessionNotFound: there is no such endpoint, or it is changed by somebody else at this moment.
            InvalidConfig: the deployment's file declares it, or it had 4 new secrets within a day.

        """
        before, secret, seal = await self._read(tenant, id_), _new_secret(), await self._seal(tenant)
        if before is None:
            raise _missing()
        found = Endpoint.from_json(before)
        _check_ours(found)
        rotated = _rotated(found, seal.seal(secret), time.time())
        with redis_errors(_OP):
            args = (self._keys.webhook_endpoints(tenant), id_, before, rotated.to_json())
            if not await cast("Any", self._redis.eval(_REPLACE, 1, *args)):
                raise _missing()
        return rotated, secret

    async def secrets_of(self, tenant: str, endpoint: Endpoint) -> list[str]:
        """Return what signs for an endpoint now, newest first.

        Raises:
            InvalidFormat: they were sealed by another secret of the deployment.

        """
        seal = await self._seal(tenant)
        return [seal.open(one) for one in (endpoint.sealed, *(old for old, _ in endpoint.old_at(time.time())))]

    async def _seal(self, tenant: str) -> Seal:
        return Seal(await token_secret(self._redis, self._deployment), f"webhooks of {tenant}")


async def endpoints_of(redis: Redis, keys: Keys, tenant: str) -> list[Endpoint]:
    """Return a tenant's endpoints, oldest first."""
    with redis_errors(_OP):
        rows: Any = await cast("Any", redis.hvals(keys.webhook_endpoints(tenant)))
    return sorted((Endpoint.from_json(row) for row in rows), key=lambda one: one.created_at)


def _rotated(endpoint: Endpoint, sealed: str, now: float) -> Endpoint:
    """Return an endpoint with another secret; raises InvalidConfig if too many sign already."""
    old = endpoint.old_at(now)
    if len(old) >= MAX_OLD:
        message = f"webhook: it had {MAX_OLD} new secrets within a day, which all sign: wait, or add another webhook"
        raise InvalidConfig(_OP, message, details={"field": "webhook"})
    return replace(endpoint, sealed=sealed, old=[(endpoint.sealed, now), *old])


def _check_ours(endpoint: Endpoint | None) -> None:
    if endpoint is not None and endpoint.declared:
        message = "webhook: the file in VOICEBACKEND_WEBHOOKS declares it; change it there"
        raise InvalidConfig(_OP, message, details={"field": "webhook"})


def _new_secret() -> str:
    return "whsec_" + secrets.token_urlsafe(_SECRET_BYTES)


def _missing() -> SessionNotFound:
    return SessionNotFound(_OP, "there is no such webhook")

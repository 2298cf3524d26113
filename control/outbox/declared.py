"""Endpoints that a deployment's file declares (``VOICEBACKEND_WEBHOOKS``), brought into Redis when control starts."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from control.outbox.endpoints import Endpoint, Endpoints
from voicebackend._redis import redis_errors
from voicebackend.config import parse
from voicebackend.errors import InvalidConfig
from voicebackend.guarded_http import check_url
from voicebackend.settings import Deployment
from voicebackend.webhook_endpoints import EndpointRequest

logger = logging.getLogger(__name__)

_OP = "webhooks"
_MIN_SECRET = 32
"""Characters of a secret."""


class Declared(EndpointRequest):
    """One endpoint in the file."""

    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "default"
    secret_env: Annotated[str, Field(min_length=1)]
    """The variable that holds the secret, of at least 32 characters."""
    old_secret_env: str = ""
    """The variable that holds the one before, while it is replaced."""


class DeclaredFile(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    webhooks: list[Declared]


def declared_in(path: Path, *, private: bool) -> list[Declared]:
    """Return what a file declares; raises InvalidConfig naming the field that is wrong."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidConfig(_OP, f"VOICEBACKEND_WEBHOOKS: {path} cannot be read as YAML") from error
    found = parse(DeclaredFile, told if isinstance(told, dict) else {}, op=_OP).webhooks
    known = set()
    for one in found:
        check_url(one.url, field="webhooks.url", private=private)
        if _id(one) in known:
            message = f"webhooks.url: {one.url} is declared twice for {one.tenant}: put its events into one entry"
            raise InvalidConfig(_OP, message, details={"field": "webhooks.url"})
        known.add(_id(one))
    return found


async def declare(redis: Redis, deployment: Deployment, environ: Mapping[str, str] = os.environ) -> None:
    """Bring the file's endpoints into Redis, and take away those that it declares no more: all, without a file.

    Raises:
        InvalidConfig: the file is wrong, or a secret is missing or short.
        ConnectionFailed: Redis is not there.

    """
    path, endpoints = deployment.webhooks, Endpoints(redis, deployment)
    wanted: dict[str, dict[str, Endpoint]] = {}
    for one in declared_in(path, private=deployment.private_webhooks) if path else []:
        secrets = [_secret(name, environ) for name in (one.secret_env, one.old_secret_env) if name]
        made = await endpoints.declared(one.tenant, _id(one), one.url, one.events, secrets)
        wanted.setdefault(one.tenant, {})[made.id] = made
    with redis_errors(_OP):
        known: Any = await cast("Any", redis.smembers(deployment.keys.webhooks_declared()))
        for tenant in wanted.keys() | {name.decode() for name in known}:
            await _replace(redis, deployment, tenant, wanted.get(tenant, {}))
    if path or known:
        logger.info("webhooks declared", extra={"endpoints": sum(map(len, wanted.values()))})


async def _replace(redis: Redis, deployment: Deployment, tenant: str, wanted: Mapping[str, Endpoint]) -> None:
    key, index = deployment.keys.webhook_endpoints(tenant), deployment.keys.webhooks_declared()
    rows: Any = await cast("Any", redis.hgetall(key))
    gone = [id_ for id_, row in rows.items() if json.loads(row).get("declared") and id_.decode() not in wanted]
    pipe = redis.pipeline()
    if gone:
        pipe.hdel(key, *gone)
    for id_, endpoint in wanted.items():
        pipe.hset(key, id_, endpoint.to_json())
    if wanted:
        pipe.sadd(index, tenant)
    else:
        pipe.srem(index, tenant)
    await pipe.execute()


def _id(one: Declared) -> str:
    return "file-" + sha256(f"{one.tenant}\0{one.url}".encode()).hexdigest()[:16]


def _secret(name: str, environ: Mapping[str, str]) -> str:
    secret = environ.get(name, "")
    if len(secret) < _MIN_SECRET:
        raise InvalidConfig(_OP, f"{name}: at least {_MIN_SECRET} characters", details={"field": name})
    return secret

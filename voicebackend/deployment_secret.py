"""The secret that all processes of a deployment share: given to them, or made once and kept in ``state``."""

from __future__ import annotations

import secrets
from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidConfig
from voicebackend.settings import Deployment


async def token_secret(redis: Redis, deployment: Deployment) -> str:
    """Return the secret that signs tokens and seals keys; ``redis`` is the ``state`` role.

    Raises:
        ConnectionFailed: Redis is not there.

    """
    if not deployment.token_secret:
        with redis_errors("token_secret"):
            await redis.set(deployment.keys.token_secret(), secrets.token_urlsafe(48), nx=True)
    return await known_secret(redis, deployment)


async def known_secret(redis: Redis, deployment: Deployment) -> str:
    """Return the same, where a process of the deployment has been before.

    Raises:
        ConnectionFailed: Redis is not there.
        InvalidConfig: there is none yet.

    """
    if deployment.token_secret:
        return deployment.token_secret
    with redis_errors("token_secret"):
        kept: Any = await redis.get(deployment.keys.token_secret())
    if kept is None:
        message = "neither given nor in Redis: run this with the variables that the deployment has"
        raise InvalidConfig("token_secret", message, details={"field": "VOICEBACKEND_TOKEN_SECRET"})
    return str(kept.decode())

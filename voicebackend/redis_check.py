"""What can be seen of a Redis at the start that would cost calls later."""

from __future__ import annotations

import logging
from typing import Any

from redis.exceptions import RedisError

from voicebackend._redis import connect
from voicebackend.settings import Deployment

logger = logging.getLogger(__name__)

NO_EVICTION = "noeviction"


async def warn_of_eviction(deployment: Deployment) -> None:
    """Log a line for each server that drops keys of its own choice when its memory is full.

    A lease, a record or a task that disappears costs calls; a write that is refused only waits.
    """
    for url, roles in _roles(deployment).items():
        policy = await _policy(url)
        if policy not in {"", NO_EVICTION}:
            logger.warning(
                "Redis drops keys when its memory is full: set its maxmemory-policy to noeviction",
                extra={"roles": roles, "policy": policy},
            )


def _roles(deployment: Deployment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    urls = {"state": deployment.state_url, "audio": deployment.audio_url, "broker": deployment.broker_url}
    for role, url in urls.items():
        found.setdefault(url, []).append(role)
    return found


async def _policy(url: str) -> str:
    """Return a server's policy, a Cluster's first node's, or nothing where it is not told."""
    redis = connect(url, max_connections=1)
    try:
        told: dict[str, Any] = await redis.info("memory")
    except (RedisError, OSError) as error:
        logger.debug("memory policy not told", extra={"error": type(error).__name__})
        return ""
    finally:
        await redis.aclose()
    by_node = next(iter(told.values()), None)
    return str((by_node if isinstance(by_node, dict) else told).get("maxmemory_policy", ""))

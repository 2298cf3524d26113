"""Gateways that died with their callers' sockets: nobody else would tell the sessions that these are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend.keys import Keys
from voicebackend.streams import Frame, Kind, json_payload
from worker.session import SessionRunner

logger = logging.getLogger(__name__)

LOOK_S = 5.0
"""Seconds between two looks: Redis may lose an inbox for a moment. One outlives its gateway by ``STREAM_TTL_S``."""


class GatewayWatch:
    """Looks for the inboxes to which sessions write; ``redis`` is the ``audio`` role."""

    def __init__(self, redis: Redis, keys: Keys, runners: Callable[[], Iterable[SessionRunner]]) -> None:
        self._redis, self._keys, self._runners = redis, keys, runners
        self._missing: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<GatewayWatch [{len(self._missing)} missing]>"

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (RedisError, OSError) as error:
                logger.warning("gateways not looked for", extra={"error": type(error).__name__})

    async def look(self) -> None:
        """Detach the sessions whose gateway's inbox is missing for the second time: their callers may come back."""
        attached = [(runner, at) for runner in self._runners() if (at := runner.attachment) is not None and at.inbox]
        inboxes = {at.inbox for _, at in attached}
        missing = frozenset([inbox for inbox in inboxes if not await self._redis.exists(self._keys.inbox(inbox))])
        for runner, at in attached:
            if at.inbox in missing & self._missing:
                logger.warning("gateway is gone", extra={"session_id": runner.record.id, "inbox": at.inbox})
                payload = json_payload({"stopped": False})
                runner.deliver(Frame(session=runner.record.id, kind=Kind.DETACH, payload=payload, attachment=at.id))
        self._missing = missing

"""The configuration in force: the one this process started with, until ``update_config`` gives another."""

from __future__ import annotations

import json
import logging

from redis.asyncio import Redis

from voicebackend.config import BackendConfig
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys

logger = logging.getLogger(__name__)

CONFIG_TTL_S = 60
"""Seconds that an update lives without a process that follows it: a whole new deployment starts from its own."""


class ConfigWatch:
    """Follows the configuration in Redis and keeps it there while anyone follows it."""

    def __init__(self, state: Redis, keys: Keys, started_with: BackendConfig) -> None:
        self._state, self._key = state, keys.config()
        self.current = started_with
        self.version = 0
        """0 until an update came."""

    async def refresh(self) -> bool:
        """Take over an update; new sessions run by it. An update that cannot be read changes nothing."""
        pipe = self._state.pipeline(transaction=False)
        pipe.hmget(self._key, ["version", "config"])
        pipe.expire(self._key, CONFIG_TTL_S)
        (version, config), _ = await pipe.execute()
        if version is None or int(version) <= self.version:
            return False
        self.version = int(version)
        try:
            self.current = self.current.with_fields(**json.loads(config))
        except (VoiceBackendError, ValueError, TypeError) as error:
            logger.exception("configuration update refused", extra={"error": type(error).__name__})
            return False
        logger.info("configuration updated", extra={"version": self.version})
        return True

"""The configuration that holds now: the one this process started with, or a later one given over HTTP.

A change lies in ``state`` for as long as any process that follows it lives; each looks about once a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.sessions.catalogues import read_catalogues
from control.sessions.offers import check_offered
from control.sessions.scripts import PUT_CONFIG
from control.sessions.workers import announced_workers
from voicebackend._redis import redis_errors
from voicebackend.config import BackendConfig
from voicebackend.config_watch import CONFIG_TTL_S, ConfigWatch
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys

LOOK_S = 1.0
"""Seconds between looks."""
MASK = "********"
"""Stands for a secret; sent back with everything else as it is, it keeps the secret that is there."""
_SECRET = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)
SETTINGS = frozenset({"provider_config", "engine_settings"})
"""Fields that may hold secrets."""
CODE_FIELDS = frozenset(
    {"auth_hook", "rate_limiter", "data_retention_hook", "telephony_hook", "custom_processors", "chat_model", "memory"}
    | {"retriever", "vector_store", "embedder", "prompt_template", "multimodal_model", "orchestrator"}
)
"""Fields that name code to load; they are set where a process is started, never over HTTP."""

logger = logging.getLogger(__name__)


def plain(config: BackendConfig) -> dict[str, Any]:
    """Return the fields whose values are plain JSON: all but objects of users."""
    dumped: dict[str, Any] = config.model_dump(mode="json", exclude=set(CODE_FIELDS))
    for field in CODE_FIELDS:
        value = getattr(config, field)
        if isinstance(value, str) or (value and isinstance(value, tuple) and all(isinstance(v, str) for v in value)):
            dumped[field] = value if isinstance(value, str) else list(value)
    return dumped


def masked(value: Any, *, secret: bool = False) -> Any:
    """Return JSON with everything that may be a secret hidden, judged by the names of its fields."""
    if isinstance(value, dict):
        return {name: masked(item, secret=secret or bool(_SECRET.search(name))) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secret=secret) for item in value]
    return MASK if secret and isinstance(value, str) and value else value


def unmasked(field: str, wanted: Any, present: dict[str, Any]) -> Any:
    """Return the settings that are meant: the present ones if they come back masked.

    Raises:
        InvalidConfig: masked, with changes: a secret that its sender cannot name must not reach another address.

    """
    if json.dumps(MASK) not in json.dumps(wanted):
        return wanted
    if wanted != masked(present):
        message = f"{field}: give the masked secrets again, because other settings change with them"
        raise InvalidConfig("update_config", message, details={"field": field})
    return present


def changed(config: BackendConfig, changes: Mapping[str, Any]) -> BackendConfig:
    """Return the configuration with these fields changed; fields left out keep their values.

    Raises:
        InvalidConfig: a field is unknown, wrong, or names code to load; the details name it.

    """
    now = plain(config)
    wanted = {name: value for name, value in changes.items() if name not in CODE_FIELDS or value != now.get(name)}
    for field in sorted(CODE_FIELDS & wanted.keys()):
        message = f"{field}: it names code to load, so it is set where the process is started"
        raise InvalidConfig("update_config", message, details={"field": field})
    for field in SETTINGS & wanted.keys():
        wanted[field] = unmasked(field, wanted[field], now[field])
    return config.with_fields(**wanted).checked(own_pipeline=True)


class LiveConfig(ConfigWatch):
    """Holds the current configuration, follows changes and makes them."""

    def __init__(self, state: Redis, keys: Keys, started_with: BackendConfig) -> None:
        super().__init__(state, keys, started_with)
        self._keys = keys
        self._put = state.register_script(PUT_CONFIG)

    async def update(self, changes: Mapping[str, Any]) -> None:
        """Change fields here and, within about a second, in every process.

        Raises:
            InvalidConfig: see :func:`changed` and, as ProviderNotFound, :func:`check_offered`; nothing changed.

        """
        with redis_errors("update_config"):
            await self.refresh()
            config = changed(self.current, changes)
            if (config.provider, config.provider_config) != (self.current.provider, self.current.provider_config):
                workers = await announced_workers(self._state, self._keys)
                check_offered(config, workers, await read_catalogues(self._state, self._keys, workers))
            version = await self._put([self._key], [json.dumps(plain(config)), CONFIG_TTL_S])
        self.current, self.version = config, int(version)

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.refresh()
            except (RedisError, OSError) as error:
                logger.warning("configuration not read", extra={"error": type(error).__name__})

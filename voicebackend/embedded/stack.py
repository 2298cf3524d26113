"""The servers of the embedded library: a private Redis, and one child that runs control, worker and tasks."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import yaml

from voicebackend._background import Background
from voicebackend.config import BackendConfig
from voicebackend.embedded.processes import ManagedProcess
from voicebackend.embedded.redis_server import RedisServer
from voicebackend.embedded.references import OBJECT_FIELDS, with_references
from voicebackend.errors import ConnectionTimeout, PipelineError, from_code
from voicebackend.process import LOG_LEVEL
from voicebackend.remote import Objects
from voicebackend.settings import Deployment

SERVICES = ("control.service:serve", "worker.service:serve", "voicebackend.schedule:serve")
"""Known by name only: this package imports none of them."""
START_S = 60.0
"""Seconds until the child must be ready; a second with ``mock``, longer where models are loaded."""


class EmbeddedStack:
    """Started and stopped with a VoiceBackend; ``url``, ``api_key`` and ``objects`` are there in between."""

    def __init__(self, api_key: str = "") -> None:
        self._stack = AsyncExitStack()
        self._background = Background()
        self.url = ""
        self.api_key = api_key or secrets.token_urlsafe(32)
        """What this process presents; given where an AuthHook expects its own kind."""
        self._references: dict[tuple[int, type], str] = {}
        self.objects: Objects
        self.died = asyncio.Event()
        """Set when the child ended without being told to."""

    async def start(self, config: BackendConfig) -> None:
        """Start everything; nothing is left behind if that fails.

        Raises:
            InvalidConfig, ProviderNotFound: what the child cannot run.
            ConnectionTimeout: it did not come up in time.

        """
        try:
            redis = await self._stack.enter_async_context(RedisServer())
            deployment = self._deployment(config, redis).with_redis(redis.url)
            self.objects = await self._stack.enter_async_context(
                Objects(redis.url, deployment.keys, secret=deployment.token_secret)
            )
            self.url = (await self._start_host(self.with_references(config), deployment))["url"]
        except BaseException:
            await self.stop()
            raise

    def with_references(self, config: BackendConfig) -> BackendConfig:
        """Return the configuration with references in place of objects, the same one for the same object."""
        return with_references(config, self._register)

    def _register(self, target: Any, *, part: Any = None, **about: Any) -> str:
        key = (id(target), type(part))  # the registry keeps it alive, so that its id stays its own
        if key not in self._references:
            called = target if part is None else part  # which has the target
            self._references[key] = self.objects.register(called, **about)
        return self._references[key]

    async def stop(self) -> None:
        """End everything, last started first."""
        await self._background.aclose()
        await self._stack.aclose()

    def _deployment(self, config: BackendConfig, redis: RedisServer) -> Deployment:
        modules = os.environ.get("VOICEBACKEND_AGENTS", "").split(",")
        return Deployment(
            port=0,
            api_keys={} if config.auth_hook else {self.api_key: "default"},
            token_secret=secrets.token_urlsafe(32),
            agents=tuple(filter(None, modules)),
            inline_tasks=True,
            home=redis.folder,
        )

    async def _start_host(self, config: BackendConfig, deployment: Deployment) -> dict[str, Any]:
        told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def hear(_: str, line: str) -> None:
            if line.startswith("{") and not told.done():  # anything else was printed by an agent's module
                told.set_result(json.loads(line))

        path = deployment.home / "config.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(to_plain(config)), encoding="utf-8")
        command = [sys.executable, "-m", "voicebackend.host", *SERVICES]
        host = ManagedProcess("host", command, env=_environment(deployment, path), on_line=hear, merged=False)
        self._stack.push_async_callback(host.stop)
        await host.start()
        ended = self._background.start(self._watch(host), name="watch host")
        await asyncio.wait({told, ended}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        return _ready(told)

    async def _watch(self, host: ManagedProcess) -> None:
        await host.wait()
        self.died.set()


def to_plain(config: BackendConfig) -> dict[str, Any]:
    """Return a configuration without objects as the mapping that ``from_yaml`` reads."""
    dumped = config.model_dump(mode="json")
    return {field: value for field, value in dumped.items() if value or field not in OBJECT_FIELDS}


def _environment(deployment: Deployment, config: Path) -> dict[str, str]:
    """Return this process's environment with the child's own configuration in place of ours."""
    ours = {f"VOICEBACKEND_{field.upper()}" for field in BackendConfig.model_fields}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    quiet = {LOG_LEVEL: os.environ.get(LOG_LEVEL, "WARNING")}
    return {**environ, **deployment.to_env(), **quiet, "VOICEBACKEND_CONFIG": str(config)}


def _ready(told: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
    if not told.done():
        raise ConnectionTimeout("start", f"the servers did not come up in {START_S:g} s: see their log on stderr")
    line = told.result()
    if "error" in line:
        error = line["error"]
        raise from_code(error["code"], "start", error["message"], details=error["details"])
    if "url" not in line:
        raise PipelineError("start", "no service gave an address")
    return line

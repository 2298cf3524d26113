"""What every request handler of one control process shares."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from redis.asyncio import Redis

from control.access.auth import ApiKeys, Principal
from control.access.tokens import Tokens
from control.gateway.gateway import Gateway
from control.hook_table import HookTable
from control.live_config import LiveConfig
from control.sessions.known_workers import KnownWorkers
from control.sessions.log import SessionLogs
from control.sessions.placement import Placement
from control.sessions.queue import SessionQueue
from control.sessions.store import SessionStore
from voicebackend.channel import Sender
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.settings import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Connections and long-lived objects of one control process."""

    deployment: Deployment
    """With the port it really listens on."""
    live: LiveConfig
    hooks: HookTable
    api_keys: ApiKeys
    state: Redis
    store: SessionStore
    workers: KnownWorkers
    placement: Placement
    queue: SessionQueue
    logs: SessionLogs
    tokens: Tokens
    sender: Sender
    publisher: Publisher
    gateway: Gateway

    @property
    def keys(self) -> Keys:
        """Return the names of the Redis keys."""
        return self.deployment.keys

    def media_url(self, session_id: str) -> str:
        """Return where a session's caller connects."""
        return f"{self.deployment.base_url.replace('http', 'ws', 1)}/v1/sessions/{session_id}/media"


SERVICES = web.AppKey("services", Services)
PRINCIPAL = web.RequestKey("principal", Principal)
"""Who asks; set by the middleware on every request that is not public."""

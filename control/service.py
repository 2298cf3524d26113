"""The HTTP API and gateway as something that runs: everything is opened in order, and closed in the other."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.access import dev_key
from control.access.auth import ApiKeys
from control.access.key_store import KeyStore
from control.access.request_rates import RequestRates
from control.access.tokens import Tokens, TokenSigner
from control.gateway.gateway import Gateway
from control.hook_table import HookTable
from control.http.app import create_app
from control.http.connection import KEEP_ALIVE_S, Connection
from control.http.sip_calls import sip_calls
from control.live_config import LiveConfig
from control.optional_parts import open_cabinet, open_desk, open_outbound, open_recordings
from control.outbox.declared import declare
from control.pseudonym import Pseudonyms
from control.records.lateness import tell_lateness
from control.services import Services
from control.sessions.known_workers import KnownWorkers
from control.sessions.log import IDLE_S, MAX_FOLLOWERS, SessionLogs
from control.sessions.placement import Placement
from control.sessions.queue import SessionQueue
from control.sessions.store import SessionStore
from control.telephony.handover import CallHandover
from voicebackend._redis import HOT_TIMEOUT_S, STATE_TIMEOUT_S, connect, redis_errors
from voicebackend.channel import Sender
from voicebackend.config import BackendConfig
from voicebackend.deployment_secret import token_secret
from voicebackend.errors import ConnectionFailed, InvalidConfig, VoiceBackendError
from voicebackend.inbox import Inbox
from voicebackend.publisher import Publisher, publisher_for
from voicebackend.redis_check import warn_of_eviction
from voicebackend.settings import Deployment

logger = logging.getLogger(__name__)

REACH_S = 3.0
"""Seconds that Redis has to answer at the start."""
SHUTDOWN_S = 3.0
"""Seconds that requests under way have at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where a running control process is reached."""

    url: str
    """``http://host:port`` as it really listens."""
    api_key: str = field(repr=False)
    """A key that it accepts; empty where an AuthHook decides."""


@asynccontextmanager
async def serve(
    config: BackendConfig, deployment: Deployment, *, remote: Any = None, publisher: Publisher | None = None
) -> AsyncIterator[Serving]:
    """Run the API and the gateway while the context is open.

    ``remote`` calls hooks of an embedding process; ``publisher`` takes the place of the deployment's own.

    Raises:
        InvalidConfig: the configuration names no provider, or the port is taken.
        ConnectionFailed: Redis does not answer within 3 s.
        ExceptionGroup: a loop beside the API died, and this with it.

    """
    config.checked(own_pipeline=True)
    async with AsyncExitStack() as stack:
        state = await _connected(stack, deployment.state_url, "state")
        audio = await _connected(stack, deployment.audio_url, "audio", timeout_s=HOT_TIMEOUT_S)
        await warn_of_eviction(deployment)
        listening = _listen(stack, deployment)
        deployment, key = _addressed(config, deployment, listening)
        await declare(state, deployment)
        services, inbox = await _open(
            stack, config, deployment, state=state, audio=audio, publisher=publisher, remote=remote
        )
        await stack.enter_async_context(_beside(services, inbox))
        await _answer(stack, services, listening)
        await stack.enter_async_context(sip_calls(services))
        url = _url(listening)
        if key.startswith(dev_key.PREFIX):
            path = stack.enter_context(dev_key.published(deployment.home, url, key))
            logger.info("no API key is configured: a development key was made", extra={"path": str(path)})
        logger.info("control serves", extra={"url": url})
        yield Serving(url=url, api_key=key)


async def _answer(stack: AsyncExitStack, services: Services, listening: socket.socket) -> None:
    """Take connections and answer what is asked over them."""
    app = create_app(services)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, keepalive_timeout=KEEP_ALIVE_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    protocols = cast("Callable[[], asyncio.Protocol]", runner.server)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(protocols()), sock=listening)
    stack.callback(server.close)


@asynccontextmanager
async def _beside(services: Services, inbox: Inbox) -> AsyncIterator[None]:
    """Run what goes on beside the requests.

    A loop that dies takes the process with it: better none than one that holds callers and does not hear their workers.
    """
    loops: dict[str, Coroutine[Any, Any, None]] = {
        "sender": services.sender.run(),
        "inbox": inbox.run(),
        "configuration": services.live.watch(),
        "callers": services.gateway.watch(services.state),
        "lateness": tell_lateness(services.cabinet.index if services.cabinet else None),
    }
    if services.desk is not None:
        loops["calls"] = services.desk.run()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work, name=name) for name, work in loops.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _connected(stack: AsyncExitStack, url: str, role: str, *, timeout_s: float = STATE_TIMEOUT_S) -> Redis:
    """Return a client of a Redis that answers."""
    redis = connect(url, timeout_s=timeout_s)
    stack.push_async_callback(redis.aclose)
    try:
        async with asyncio.timeout(REACH_S):
            await redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        message = f"Redis ({role}) does not answer: start it, or set VOICEBACKEND_REDIS_URL"
        raise ConnectionFailed("start", message) from error
    return redis


def _listen(stack: AsyncExitStack, deployment: Deployment) -> socket.socket:
    """Return a socket that is bound before anything is written, so that a taken port leaves nothing behind."""
    try:
        listening = socket.create_server((deployment.host, deployment.port))
    except OSError as error:
        message = f"VOICEBACKEND_PORT: cannot listen on {deployment.host}:{deployment.port}: {error.strerror}"
        raise InvalidConfig("start", message, details={"field": "VOICEBACKEND_PORT"}) from error
    stack.callback(listening.close)
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}"


def _addressed(config: BackendConfig, deployment: Deployment, listening: socket.socket) -> tuple[Deployment, str]:
    """Return the deployment with its real port and at least one way in, and a key that it accepts."""
    deployment = replace(deployment, port=listening.getsockname()[1])
    if config.auth_hook is not None:
        return deployment, ""
    if not deployment.api_keys:
        deployment = replace(deployment, api_keys={dev_key.make_key(): "default"})
    return deployment, next(iter(deployment.api_keys))


async def _open(
    stack: AsyncExitStack,
    config: BackendConfig,
    deployment: Deployment,
    *,
    state: Redis,
    audio: Redis,
    publisher: Publisher | None,
    remote: Any,
) -> tuple[Services, Inbox]:
    """Open what handlers share, and the inbox of what comes for their callers."""
    keys, publisher = deployment.keys, publisher or _publisher(stack, deployment)
    secret = await token_secret(state, deployment)
    tokens, key_store = Tokens(state, keys, TokenSigner(secret)), KeyStore(state, keys, secret)
    store, sender, live = SessionStore(state, keys), Sender(audio), LiveConfig(state, keys, config)
    logs, placement = _logs(stack, deployment, store), Placement(state, keys, store)
    hooks, owner = await _hooks(live, remote), secrets.token_hex(8)
    cabinet = await open_cabinet(deployment, state)
    recordings = await open_recordings(stack, deployment, cabinet, hooks, state)
    gateway = Gateway(
        owner=owner, sender=sender, store=store, logs=logs, tokens=tokens, keys=keys, recordings=recordings
    )
    inbox = await _inbox(stack, deployment, gateway, owner)
    stack.push_async_callback(_flush, sender)
    outbound = await open_outbound(stack, deployment, state)
    services = Services(
        deployment=deployment,
        live=live,
        hooks=hooks,
        api_keys=ApiKeys(deployment.api_keys, key_store),
        key_store=key_store,
        rates=RequestRates(state, keys, deployment.limits.request_rate),
        state=state,
        store=store,
        workers=KnownWorkers(state, keys),
        placement=placement,
        queue=SessionQueue(state, keys, store, placement),
        logs=logs,
        tokens=tokens,
        sender=sender,
        publisher=publisher,
        pseudonyms=Pseudonyms.by(secret),
        gateway=gateway,
        outbound=outbound,
        handover=CallHandover(state, keys, outbound, deployment.base_url),
        desk=await open_desk(deployment, state),
        cabinet=cabinet,
    )
    stack.push_async_callback(services.background.aclose)
    return services, inbox


async def _inbox(stack: AsyncExitStack, deployment: Deployment, gateway: Gateway, owner: str) -> Inbox:
    inbox = Inbox(deployment.audio_url, deployment.keys, owner, gateway.take)
    await inbox.open()
    stack.push_async_callback(inbox.aclose)
    return inbox


def _logs(stack: AsyncExitStack, deployment: Deployment, store: SessionStore) -> SessionLogs:
    """Return sessions' logs, over connections of their own: who follows one waits on it."""
    blocking = connect(deployment.state_url, timeout_s=IDLE_S + STATE_TIMEOUT_S, max_connections=MAX_FOLLOWERS)
    stack.push_async_callback(blocking.aclose)
    return SessionLogs(blocking, store, deployment.keys)


def _publisher(stack: AsyncExitStack, deployment: Deployment) -> Publisher:
    publisher = publisher_for(deployment)
    stack.push_async_callback(publisher.aclose)
    return publisher


async def _hooks(live: LiveConfig, remote: Any) -> HookTable:
    """Return the hooks of the configuration as it is now; raises InvalidConfig if one is not there."""
    with redis_errors("start"):
        await live.refresh()
    hooks = HookTable(live, remote)
    hooks.check()
    return hooks


async def _flush(sender: Sender) -> None:
    """Write the last words to the lanes, if Redis is there."""
    try:
        with redis_errors("stop"):
            await sender.flush()
    except VoiceBackendError:
        logger.warning("last frames not written")

"""What the tasks of one process share: addresses, configuration, Redis clients, the store and the publisher.

Built when a task first needs it, in Celery as in the process that runs tasks inline, and never taken across a fork.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time

from control import loop
from control.hook_table import HookTable
from control.live_config import LOOK_S, LiveConfig
from control.outbox.outbox import Outbox
from control.part_table import PartTable
from control.records.cabinet import Cabinet
from control.records.prices import Prices
from control.sessions.placement import Placement
from control.sessions.queue import SessionQueue
from control.sessions.store import SessionStore
from control.telephony.handover import CallHandover
from control.telephony.outbound_lines import OutboundLines
from voicebackend import remote
from voicebackend._redis import connect, connect_sync, redis_errors
from voicebackend._wire import Wire
from voicebackend.channel import Sender
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.publisher import publisher_for
from voicebackend.settings import Deployment
from voicebackend.streams import Frame

CLOSE_S = 5.0
"""Seconds within which everything is released."""

logger = logging.getLogger(__name__)


class TaskContext:
    """What tasks work with; connections are made when they are used."""

    def __init__(self, deployment: Deployment, config: BackendConfig) -> None:
        self.deployment, self.keys = deployment, deployment.keys
        self.state, self.audio = connect(deployment.state_url), connect(deployment.audio_url)
        self.sync_state = connect_sync(deployment.state_url)
        """``state`` for agents' threads."""
        self.wire, self.state_wire = Wire(self.audio), Wire(self.state)
        """For frames into lanes; and for what every turn reads."""
        self.store = SessionStore(self.state, self.keys)
        self.queue = SessionQueue(self.state, self.keys, self.store, Placement(self.state, self.keys, self.store))
        self.publisher = publisher_for(deployment)
        self.outbound = OutboundLines(deployment.telephony, self.state, self.keys)
        self.handover = CallHandover(self.state, self.keys, self.outbound, deployment.base_url)
        self._live, self._looked = LiveConfig(self.state, self.keys, config), 0.0
        self._cabinet: Cabinet | None = None
        self._prices: Prices | None = None
        self.hooks = HookTable(self._live, remote.current())
        self.parts = PartTable(self._live, remote.current())

    @property
    def config(self) -> BackendConfig:
        """Return the configuration that held when this process last looked."""
        return self._live.current

    @property
    def live(self) -> LiveConfig:
        """Return what follows the configuration."""
        return self._live

    @property
    def outbox(self) -> Outbox:
        """Return what takes events for webhooks."""
        return Outbox(self.state, self.keys, self.publisher)

    async def refresh(self) -> None:
        """Look whether the configuration changed, at most once a second; without Redis, what is there holds."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        try:
            await self._live.refresh()
        except (VoiceBackendError, ValueError, KeyError) as error:
            logger.warning("configuration not read", extra={"error": type(error).__name__})

    async def cabinet(self) -> Cabinet | None:
        """Return where records are kept; None where the deployment keeps none. Opened when it is first asked for."""
        path = self.deployment.retention
        if self._cabinet is None and path is not None:
            secret = self.deployment.records_key
            self._cabinet = await asyncio.to_thread(Cabinet.open, path, self.state, self.keys, secret)
        return self._cabinet

    async def prices(self) -> Prices | None:
        """Return what things cost; None where the deployment has no prices. Read when it is first asked for."""
        path = self.deployment.prices
        if self._prices is None and path is not None:
            self._prices = await asyncio.to_thread(Prices.from_file, path)
        return self._prices

    async def tell_lane(self, lane: int, frame: Frame) -> None:
        """Write one frame into a lane.

        Raises:
            ConnectionFailed: nobody owns the lane, or Redis is not there.

        """
        sender = Sender(self.wire)
        sender.send(self.keys.lane(lane), frame)
        with redis_errors("tell_lane"):
            await sender.flush()
        if sender.dropped:
            raise ConnectionFailed("tell_lane", f"nobody owns lane {lane}")

    async def aclose(self) -> None:
        """Release connections and threads."""
        await self.outbound.aclose()
        await self.publisher.aclose()
        await self.state.aclose()
        await self.audio.aclose()
        self.sync_state.close()


_lock = threading.Lock()
_current: TaskContext | None = None


def current() -> TaskContext:
    """Return this process's context, made from the environment unless ``use`` gave it."""
    global _current  # noqa: PLW0603 - one per process is the point
    with _lock:
        _current = _current or TaskContext(Deployment.from_env(), BackendConfig.from_env())
        return _current


def use(deployment: Deployment, config: BackendConfig) -> None:
    """Give this process's tasks their deployment: for a process that did not get it from the environment."""
    global _current  # noqa: PLW0603 - one per process is the point
    close()
    with _lock:
        _current = TaskContext(deployment, config)


def close() -> None:
    """Release the context and end the loop it was used on."""
    global _current
    with _lock:
        context, _current = _current, None
    try:
        if context is not None:
            loop.run(context.aclose(), CLOSE_S)
    finally:
        loop.close()


def _forget() -> None:
    """Let go of the parent's context: its connections are the parent's."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)

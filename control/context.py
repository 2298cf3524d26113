"""What the tasks of one process share: addresses, configuration, Redis clients, the store and the publisher.

Built when a task first needs it, in Celery as in the process that runs tasks inline, and never taken across a fork.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from control import loop
from control.store import SessionStore
from voicebackend._redis import connect, connect_sync, redis_errors
from voicebackend.channel import Sender
from voicebackend.config import BackendConfig
from voicebackend.errors import ConnectionFailed
from voicebackend.publisher import Publisher, publisher_for
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Keys

CLOSE_S = 5.0
"""Seconds within which everything is released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What tasks work with."""

    deployment: Deployment
    config: BackendConfig
    state: Redis
    audio: Redis
    sync_state: SyncRedis
    """``state`` for agents' threads."""
    store: SessionStore
    publisher: Publisher

    @property
    def keys(self) -> Keys:
        """Return the names of the Redis keys."""
        return self.deployment.keys

    @classmethod
    def open(cls, deployment: Deployment, config: BackendConfig) -> TaskContext:
        """Return a context of its own; connections are made when used."""
        state = connect(deployment.state_url)
        return cls(
            deployment=deployment,
            config=config,
            state=state,
            audio=connect(deployment.audio_url),
            sync_state=connect_sync(deployment.state_url),
            store=SessionStore(state, deployment.keys),
            publisher=publisher_for(deployment),
        )

    async def tell_lane(self, lane: int, frame: Frame) -> None:
        """Write one frame into a lane.

        Raises:
            ConnectionFailed: nobody owns the lane, or Redis is not there.

        """
        sender = Sender(self.audio)
        sender.send(self.keys.lane(lane), frame)
        with redis_errors("tell_lane"):
            await sender.flush()
        if sender.dropped:
            raise ConnectionFailed("tell_lane", f"nobody owns lane {lane}")

    async def aclose(self) -> None:
        """Release connections and threads."""
        await self.publisher.aclose()
        await self.state.aclose()
        await self.audio.aclose()
        self.sync_state.close()


_lock = threading.Lock()
_current: TaskContext | None = None


def current() -> TaskContext:
    """Return this process's context, made from the environment the first time."""
    global _current  # noqa: PLW0603 - one per process is the point
    with _lock:
        _current = _current or TaskContext.open(Deployment.from_env(), BackendConfig.from_env())
        return _current


def use(context: TaskContext) -> None:
    """Make this the process's context: for a process that has not got its deployment from the environment."""
    global _current  # noqa: PLW0603 - one per process is the point
    with _lock:
        _current = context


def close() -> None:
    """Release the context and end the loop it was used on."""
    global _current
    with _lock:
        context, _current = _current, None
    if context is not None:
        loop.run(context.aclose(), CLOSE_S)
    loop.close()


def _forget() -> None:
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)

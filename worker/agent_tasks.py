"""The Celery tasks that answer a session's turns: published, watched, and told what became of their turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from opentelemetry.trace import SpanKind
from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.digits import DIGITS_TTL_S, Collected
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.record import ENDED_TTL_S
from voicebackend.tasks import AGENTS_TURN
from voicebackend.tracing import span
from voicebackend.turn_audio import KEPT_S, packed

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempts:
    """A turn's attempts, counted over all its questions."""

    turn: int
    latest: int = 0
    cancelled: int = 0
    """The highest that was cancelled; all below are void too."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Of the turn's hash: what is committed must be what is current."""


class AgentTasks:
    """One session's."""

    def __init__(
        self,
        session: str,
        *,
        publisher: Publisher,
        state: Redis | Wire,
        keys: Keys,
        timeout_s: float,
        audio: Wire | None = None,
    ) -> None:
        self.session, self.timeout_s = session, timeout_s
        self._publisher, self._wire, self._keys = publisher, Wire.over(state), keys
        self._audio = audio
        self.on_told: Callable[[], None] = lambda: None
        """Called when an agent has asked for keys, or its answer is over."""

    async def publish(self, turn: int, attempt: int) -> None:
        """Queue the task; where that fails it is as if nobody took it."""
        arguments: dict[str, Any] = {"session_id": self.session, "turn": turn, "attempt": attempt}
        with span("agent.publish", kind=SpanKind.PRODUCER, turn=turn, attempt=attempt):
            try:
                await self._publisher.publish(AGENTS_TURN, **arguments)
            except ConnectionFailed:
                logger.warning("agent task could not be queued", extra=arguments)

    async def bring(self, turn: int, voice: bytes) -> None:
        """Lay the caller's audio of a turn where its task finds it; without Redis the agent has the words alone."""
        if self._audio is None or not voice:
            return
        try:
            with redis_errors("agent"):
                told = packed(turn, voice)
                await self._audio.execute(("SET", self._keys.turn_audio(self.session), told, "EX", KEPT_S))
        except VoiceBackendError as error:
            extra = {"session_id": self.session, "turn": turn, "error_code": str(error.code)}
            logger.warning("agent is not brought the caller's audio", extra=extra)

    async def is_alive(self, turn: int, attempt: int) -> bool:
        """Tell whether the task that answers is still there; while Redis cannot be asked, it may well be."""
        try:
            with redis_errors("agent"):
                (found,) = await self._wire.execute(("GET", self._keys.turn_alive(self.session, turn)))
        except (VoiceBackendError, OSError):
            return True
        return bool(found == b"%d" % attempt)

    async def note(self, turn: int, fields: Mapping[str, str | int]) -> None:
        """Write into the turn's hash, which the task reads; raises ConnectionFailed."""
        key, flat = self._keys.turn(self.session, turn), chain.from_iterable(fields.items())
        with redis_errors("agent"):
            await self._wire.execute(("HSET", key, *flat), ("EXPIRE", key, ENDED_TTL_S))

    async def keep(self, turn: int, collected: Collected) -> None:
        """Write what the caller pressed where the task finds it, sealed and for a minute if it is sensitive."""
        await self.note(turn, {"digits": collected.told()})
        if collected.sensitive:
            key = self._keys.turn_digits(self.session, turn)
            with redis_errors("agent"):
                await self._wire.execute(("SET", key, collected.sealed, "EX", DIGITS_TTL_S))

"""Asks the agent for one turn's answer: publishes its task, and reads what the task writes into the lane."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._redis import redis_errors
from voicebackend.errors import AgentError, ConnectionFailed, OperationTimeout, from_code
from voicebackend.publisher import Publisher
from voicebackend.record import ENDED_TTL_S
from voicebackend.streams import Frame, Keys, Kind
from voicebackend.tasks import AGENTS_TURN
from voicebackend.telemetry import span, turn_seconds

logger = logging.getLogger(__name__)

CLAIM_S = 1.0
"""Seconds after which a task that nobody has claimed is published again."""
MAX_ATTEMPTS = 3


class AgentCall:
    """One turn's question to the agent."""

    def __init__(
        self, session: str, turn: int, *, publisher: Publisher, state: Redis, keys: Keys, timeout_s: float
    ) -> None:
        self._session, self.turn, self._publisher = session, turn, publisher
        self._state, self._key, self._timeout_s = state, keys.turn(session, turn), timeout_s
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.attempt = 0
        self._next_delta = 0
        self._deadline = 0.0

    def deliver(self, frame: Frame) -> None:
        """Take a frame of this turn from the lane; those of other attempts and repeats are dropped."""
        if frame.turn == self.turn and frame.attempt == self.attempt:
            self._frames.put_nowait(frame)

    async def deltas(self) -> AsyncIterator[str]:
        """Yield the agent's text as it comes.

        Raises:
            AgentError: the agent failed, or no worker took the task.
            OperationTimeout: the agent did not finish in time.

        """
        self._deadline = asyncio.get_running_loop().time() + self._timeout_s
        await self._start()
        while True:
            frame = await self._next_frame()
            if frame.kind is Kind.AGENT_DELTA and frame.seq == self._next_delta:
                self._next_delta += 1
                yield frame.payload.decode("utf-8", "replace")
            elif frame.kind is Kind.AGENT_DONE:
                return
            elif frame.kind is Kind.AGENT_FAILED:
                told = frame.json()
                raise from_code(str(told.get("code")), "agent", str(told.get("message") or "the agent failed"))

    async def cancel(self) -> None:
        """Tell the task, wherever it runs, that its answer is no longer wanted."""
        try:
            pipe = self._state.pipeline(transaction=False)
            pipe.hset(self._key, "cancelled", str(self.attempt))
            pipe.expire(self._key, ENDED_TTL_S)
            await pipe.execute()
        except (RedisError, OSError):
            logger.warning("turn could not be cancelled", extra={"session_id": self._session, "turn": self.turn})

    async def _start(self) -> None:
        """Publish attempts until one is claimed."""
        while self.attempt < MAX_ATTEMPTS:
            self.attempt += 1
            published = time.monotonic()
            with span("agent.publish", session_id=self._session, turn=self.turn, attempt=self.attempt):
                await self._publish()
            try:
                async with asyncio.timeout(CLAIM_S):
                    first = await self._frames.get()
            except TimeoutError:
                extra = {"session_id": self._session, "turn": self.turn, "attempt": self.attempt}
                logger.warning("agent task was not claimed", extra=extra)
                continue
            turn_seconds["hop"].record(time.monotonic() - published)
            if first.kind is not Kind.AGENT_STARTED:
                self._frames.put_nowait(first)
            return
        raise AgentError("agent", "no Celery worker took the agent's turn: check that one serves the queue 'agents'")

    async def _publish(self) -> None:
        with redis_errors("agent"):
            pipe = self._state.pipeline(transaction=False)
            pipe.hset(self._key, "current", str(self.attempt))
            pipe.expire(self._key, ENDED_TTL_S)
            await pipe.execute()
        arguments: dict[str, Any] = {"session_id": self._session, "turn": self.turn, "attempt": self.attempt}
        try:
            await self._publisher.publish(AGENTS_TURN, **arguments)
        except ConnectionFailed:
            logger.warning("agent task could not be queued", extra=arguments)

    async def _next_frame(self) -> Frame:
        """Return what the task says next. Only waiting counts against the agent, not the time its text is spoken."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._frames.get()
        except TimeoutError as error:
            raise OperationTimeout("agent", "the agent did not finish in time") from error

"""An agent's answer as the lane's holder reads it: started, numbered deltas of text, and how it ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.channel import Sender
from voicebackend.digits import CollectDigits
from voicebackend.errors import AgentError, ErrorCode
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.streams import Frame, Kind, json_payload

logger = logging.getLogger(__name__)

MAX_DELTA = 8 * 1024
"""Bytes in one delta."""
MAX_ANSWER = 64 * 1024
"""Bytes in an answer: about an hour of speech."""
LANE_S = 2.0
"""Seconds that a lane may be away that Redis lost: its holder makes it anew."""
_LAST_FRAME = RetryPolicy(max_retries=5, delay_s=0.1)


class AgentReply:
    """Writes one attempt's frames into a lane; what Redis does not take now goes with the next."""

    def __init__(self, redis: Redis | Wire, lane: str, *, session: str, turn: int, attempt: int) -> None:
        self._sender, self._lane = Sender(redis), lane
        self._session, self._turn, self._attempt = session, turn, attempt
        self._text, self._size, self._deltas = "", 0, 0
        self._request: CollectDigits | None = None

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """Say that this attempt has been claimed, while the agent is asked already: a caller waits for its words."""
        self._send(Kind.AGENT_STARTED)
        telling = asyncio.create_task(self.flush(), name="agent-started")
        try:
            yield
        finally:
            telling.cancel()  # long over, or in vain
            await asyncio.gather(telling, return_exceptions=True)

    def add(self, text: str) -> None:
        """Take text to be sent; whitespace before the first word is left out.

        Raises:
            AgentError: the answer is too long.

        """
        text = text if self._size else text.lstrip()
        size = len(utf8(text))
        if self._size + size > MAX_ANSWER:
            raise AgentError("agent", f"an answer has at most {MAX_ANSWER} bytes")
        self._text += text
        self._size += size

    def collect(self, request: CollectDigits) -> None:
        """Have the caller's keys collected, from when this is sent on."""
        self._request = request

    @property
    def deltas(self) -> int:
        """How many pieces of text were sent."""
        return self._deltas

    async def flush(self) -> bool:
        """Send what was added; False when nobody owns the lane any more."""
        if self._request is not None:
            self._send(Kind.AGENT_COLLECT, self._request.model_dump_json().encode())
            self._request = None
        text, self._text = self._text, ""
        for payload in cut(text, MAX_DELTA):
            self._send(Kind.AGENT_DELTA, payload, seq=self._deltas)
            self._deltas += 1
        try:
            await self._sender.flush(patience_s=LANE_S)
        except (RedisError, OSError) as error:
            logger.warning("agent: delta waits for Redis", extra={"error": type(error).__name__})
        return not self._sender.dropped

    async def done(self) -> None:
        """Say that the answer is complete; raises ConnectionFailed."""
        await self._finish(Kind.AGENT_DONE, seq=self._deltas)

    async def failed(self, code: ErrorCode, message: str) -> None:
        """Say that there will be no more, and why; raises ConnectionFailed."""
        await self._finish(Kind.AGENT_FAILED, json_payload({"code": code, "message": message}), seq=self._deltas)

    def _send(self, kind: Kind, payload: bytes = b"", *, seq: int = 0) -> None:
        frame = Frame(
            session=self._session,
            kind=kind,
            payload=payload,
            turn=self._turn,
            attempt=self._attempt,
            seq=seq,
            time_ms=round(time.time() * 1000),
        )
        self._sender.send(self._lane, frame)

    async def _finish(self, kind: Kind, payload: bytes = b"", *, seq: int) -> None:
        self._send(kind, payload, seq=seq)
        await retrying(_LAST_FRAME, self._flush)

    async def _flush(self) -> None:
        with redis_errors("agent_reply"):
            await self._sender.flush(patience_s=LANE_S)


def utf8(text: str) -> bytes:
    """Encode text; half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace")


def cut(text: str, limit: int) -> Iterator[bytes]:
    """Yield the text as UTF-8 in parts of at most ``limit`` (4 or more) bytes that each decode by themselves."""
    data = utf8(text)
    while data:
        end = min(limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - within a character
            end -= 1
        yield data[:end]
        data = data[end:]

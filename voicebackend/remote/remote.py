"""The side that calls objects of other processes."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator
from typing import Any, Self
from uuid import uuid4

from voicebackend.errors import InvalidFormat, OperationTimeout, from_code
from voicebackend.inbox import Inbox
from voicebackend.keys import Keys
from voicebackend.remote.calls import Reference, call_frame, decode, encode
from voicebackend.remote.objects import CANCEL
from voicebackend.streams import Frame, Kind
from voicebackend.tracing import inject

logger = logging.getLogger(__name__)

CALL_TIMEOUT_S = 60.0
"""Seconds without an answer, or between two pieces of one, after which a call is given up."""
_Result = tuple[dict[str, Any], list[Any]]


class Remote:
    """Calls objects of other processes. Its methods may be awaited on any event loop of this process."""

    def __init__(self, redis_url: str, keys: Keys, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._inbox = Inbox(redis_url, keys, f"remote-{uuid4().hex}", self._on_frame)
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[_Result]] = {}

    def __repr__(self) -> str:
        return f"<Remote [{len(self._waiting)} calls open]>"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._inbox.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._inbox.aclose()

    async def call(self, target: Reference, method: str, *values: Any) -> Any:
        """Return what the method returns.

        Raises:
            OperationTimeout: no answer came in time.
            VoiceBackendError: the method raised it; any other exception comes as ``agent_error``.

        """
        results = [result async for result in self.stream(target, method, *values)]
        return results[-1] if results else None

    async def stream(self, target: Reference, method: str, *values: Any) -> AsyncGenerator[Any, None]:
        """Yield what the method yields; closing the generator stops it there. Raises as :meth:`call`."""
        number = next(self._numbers) % 2**32
        header = {"to": target.object_id, "reply": self._inbox.owner, "trace": inject()}
        results = self._waiting[number] = asyncio.Queue[_Result]()
        finished = False
        try:
            self._send(target, number, encode({**header, "method": method}, values))
            while True:
                told, received = await self._next(results, method)
                finished = told["status"] != "item"
                if told["status"] == "error":
                    raise from_code(told["code"], method, told["message"])
                if finished:
                    return
                yield received[0]
        finally:
            self._waiting.pop(number, None)
            if not finished:
                self._send(target, number, encode({**header, "method": CANCEL}))

    def _send(self, target: Reference, number: int, payload: bytes) -> None:
        self._loop.call_soon_threadsafe(self._inbox.send, target.owner, call_frame(Kind.CALL, number, payload))

    async def _next(self, results: asyncio.Queue[_Result], method: str) -> _Result:
        """Wait on the loop that reads the inbox, from whichever loop this runs on."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if asyncio.get_running_loop() is self._loop:
                    return await results.get()
                waiting = asyncio.run_coroutine_threadsafe(results.get(), self._loop)
                return await asyncio.wrap_future(waiting)
        except TimeoutError as error:
            raise OperationTimeout(method, "the process that has the object did not answer") from error

    def _on_frame(self, frame: Frame) -> None:
        waiting = self._waiting.get(frame.seq) if frame.kind is Kind.RESULT else None
        if waiting is None:
            return
        try:
            waiting.put_nowait(decode(frame.payload))
        except InvalidFormat:
            logger.warning("remote: a result was not readable")

"""The side that has the objects: answers calls to them from its inbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Self
from uuid import uuid4

from voicebackend._background import Background
from voicebackend.errors import AgentError, ErrorCode, InvalidConfig, InvalidFormat, VoiceBackendError
from voicebackend.inbox import Inbox
from voicebackend.keys import Keys
from voicebackend.remote.calls import Reference, call_frame, decode, encode
from voicebackend.streams import Frame, Kind
from voicebackend.tracing import attached

logger = logging.getLogger(__name__)

MAX_RUNNING = 4096
"""Calls answered at once."""
CANCEL = ""
"""The method of a call that stops the one of the same number."""


class Objects:
    """The objects of this process that others may call, by references nobody can guess."""

    def __init__(self, redis_url: str, keys: Keys, *, secret: str = "") -> None:
        self.secret = secret
        """The deployment's: what is sealed by it can be read here."""
        self._inbox = Inbox(redis_url, keys, f"objects-{uuid4().hex}", self._on_frame)
        self._objects: dict[str, Any] = {}
        self._running: dict[tuple[str, int], asyncio.Task[Any]] = {}
        self._background = Background()

    def __repr__(self) -> str:
        return f"<Objects [{len(self._objects)} registered, {len(self._running)} calls running]>"

    async def open(self) -> None:
        """Answer calls from now on."""
        await self._inbox.open()

    async def aclose(self) -> None:
        """Stop answering; what runs is cancelled."""
        await self._background.aclose()
        await self._inbox.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def register(self, target: Any, *, name: str = "", order: int = 0, stages: Iterable[str] = ()) -> str:
        """Let others call the public methods of this object; return the reference to it."""
        owner, object_id = self._inbox.owner, uuid4().hex
        reference = Reference(owner=owner, object_id=object_id, name=name, order=order, stages=tuple(stages))
        self._objects[reference.object_id] = target
        return str(reference)

    def forget(self, reference: str) -> None:
        """Answer no further call to this object."""
        self._objects.pop(Reference.parse(reference, field="reference").object_id, None)

    def _on_frame(self, frame: Frame) -> None:
        if frame.kind is not Kind.CALL:
            return
        try:
            header, values = decode(frame.payload)
            key, method = (str(header["reply"]), frame.seq), str(header["method"])
        except (InvalidFormat, KeyError):
            logger.warning("remote: a call was not readable")
            return
        running = self._running.get(key)
        if method == CANCEL:
            if running:
                running.cancel()
        elif running is None and len(self._running) < MAX_RUNNING:
            task = self._background.start(self._answer(key, header, values), name=f"answer {method}")
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _answer(self, key: tuple[str, int], header: dict[str, Any], values: list[Any]) -> None:
        count = 0
        try:
            with attached(header.get("trace")):
                async for value in self._results(str(header.get("to")), str(header["method"]), values):
                    self._reply(key, {"status": "item"}, [value])
                    count += 1
            self._reply(key, {"status": "done"})
        except Exception as error:  # noqa: BLE001 - the caller gets it
            self._reply(key, _problem(error))

    async def _results(self, object_id: str, method: str, values: list[Any]) -> AsyncGenerator[Any, None]:
        """Yield one value for a plain method, each item for one that streams."""
        target = self._objects.get(object_id)
        function = None if method.startswith("_") else getattr(target, method, None)
        if function is None:
            raise InvalidConfig("remote", f"there is no {method!r} to call: it was never there, or its owner let it go")
        answer = function(*values)
        if hasattr(answer, "__aiter__"):
            async for item in answer:
                yield item
        else:
            yield await answer if hasattr(answer, "__await__") else answer

    def _reply(self, key: tuple[str, int], header: dict[str, Any], values: list[Any] | None = None) -> None:
        owner, number = key
        self._inbox.send(owner, call_frame(Kind.RESULT, number, encode(header, values or ())))


def _problem(error: Exception) -> dict[str, Any]:
    """Return what the caller is told; what the user's own code raised is logged here and goes no further."""
    ours = error if isinstance(error, VoiceBackendError) else AgentError("remote", f"it raised {type(error).__name__}")
    cause = error.__cause__ if ours is error else error
    if cause is not None:
        logger.error("what was called from another process failed", exc_info=cause)
    return {"status": "error", "code": str(ErrorCode(ours.code)), "message": ours.message}

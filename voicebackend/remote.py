"""Calls between processes: hooks and agents that cannot travel are answered where they live.

``Objects`` is the side that has them, ``Remote`` the side that calls. Both read an inbox of their own; a call is one
CALL frame to the owner's inbox, its answer one or more RESULT frames to the caller's. ``seq`` is the call's number.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any, Self
from uuid import uuid4

from voicebackend._background import Background
from voicebackend._importer import load
from voicebackend.calls import PREFIX, Reference, decode, encode
from voicebackend.errors import (
    AgentError,
    ErrorCode,
    InvalidConfig,
    InvalidFormat,
    OperationTimeout,
    VoiceBackendError,
    from_code,
)
from voicebackend.inbox import Inbox
from voicebackend.proxies import PROXIES
from voicebackend.streams import NO_SESSION, Frame, Keys, Kind
from voicebackend.telemetry import attached, inject

logger = logging.getLogger(__name__)

CALL_TIMEOUT_S = 60.0
"""Seconds without an answer, or between two pieces of one, after which a call is given up."""
MAX_RUNNING = 4096
"""Calls answered at once."""
_CANCEL = ""
"""The method of a call that stops the one of the same number."""
_Result = tuple[dict[str, Any], list[Any]]


class Objects:
    """The objects of this process that others may call, by references nobody can guess."""

    def __init__(self, redis_url: str, keys: Keys) -> None:
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

    def register(self, target: Any, *, name: str = "", order: int = 0) -> str:
        """Let others call the public methods of this object; return the reference to it."""
        reference = Reference(owner=self._inbox.owner, object_id=uuid4().hex, name=name, order=order)
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
        if method == _CANCEL:
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
        self._inbox.send(owner, _frame(Kind.RESULT, number, encode(header, values or ())))


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
                self._send(target, number, encode({**header, "method": _CANCEL}))

    def _send(self, target: Reference, number: int, payload: bytes) -> None:
        self._loop.call_soon_threadsafe(self._inbox.send, target.owner, _frame(Kind.CALL, number, payload))

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


_used: list[Remote] = []


def use(remote: Remote) -> None:
    """Make this the process's caller: for code that runs in tasks and is handed nothing."""
    _used[:] = [remote]


def current() -> Remote | None:
    """Return the process's caller, None outside the embedded library."""
    return _used[-1] if _used else None


def resolve(target: Any, *, field: str, remote: Remote | None) -> Any:
    """Return the object itself, what ``"module:attr"`` names, or a stand-in for an object of another process.

    A class is instantiated, so that a hook can be named by its class.

    Raises:
        InvalidConfig: there is no such object, or none of other processes can be called here.

    """
    if not (isinstance(target, str) and target.startswith(PREFIX)):
        found = load(target, field=field)
        return found() if isinstance(found, type) else found
    if remote is None:
        message = f"{field}: objects of another process can only be called in the embedded library"
        raise InvalidConfig("remote", message, details={"field": field})
    try:
        proxy = PROXIES[field]
    except KeyError:
        message = f"{field}: give it as 'module:attr'; an object of this kind cannot be called from another process"
        raise InvalidConfig("remote", message, details={"field": field}) from None
    return proxy(remote, Reference.parse(target, field=field))


def _frame(kind: Kind, number: int, payload: bytes) -> Frame:
    return Frame(session=NO_SESSION, kind=kind, seq=number, payload=payload, time_ms=round(time.time() * 1000))


def _problem(error: Exception) -> dict[str, Any]:
    """Return what the caller is told; what the user's own code raised is logged here and goes no further."""
    ours = error if isinstance(error, VoiceBackendError) else AgentError("remote", f"it raised {type(error).__name__}")
    cause = error.__cause__ if ours is error else error
    if cause is not None:
        logger.error("what was called from another process failed", exc_info=cause)
    return {"status": "error", "code": str(ErrorCode(ours.code)), "message": ours.message}

"""The vendor's voice over few connections: many texts are spoken at once on one, each in a context of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from providers.cartesia.tts_codec import Told, cancel_request, parsed
from providers.cartesia.vendor import messages
from providers.remote.socket import RemoteSocket
from voicebackend._background import Background
from voicebackend.errors import ConnectionFailed, PipelineError, VoiceBackendError, from_code

MAX_CONTEXTS = 16
"""Texts spoken at once on one connection; if that breaks, all of them fail."""
MAX_AHEAD_S = 120.0
"""Seconds of audio that may wait for who plays it: a clause is a tenth of that."""
_MESSAGE_BYTES = 100
"""What a message, or a word in it, counts beside its audio."""


class Context:
    """One text being spoken. What comes of it waits here, so that a slow listener holds up nobody else's."""

    def __init__(self, name: str, max_bytes: float) -> None:
        self.name = name
        self.done = False
        """The vendor has nothing more of it."""
        self._told: asyncio.Queue[Told] = asyncio.Queue()  # bounded by the bytes in it
        self._left = max_bytes

    def take(self, told: Told) -> None:
        """Keep what came of it; the first error, or too much at once, is the last of it."""
        self.done = self.done or told.done or told.error is not None
        if self._left < 0:
            return
        self._left -= _size(told)
        if self._left < 0:
            told = Told(self.name, error=PipelineError("cartesia.tts", f"more than {MAX_AHEAD_S:.0f} s are unheard"))
        self._told.put_nowait(told)

    async def next(self) -> Told:
        """Return what came next; raises what went wrong."""
        told = await self._told.get()
        if told.error is not None:
            raise told.error
        self._left += _size(told)
        return told


class Connection:
    """One websocket and the contexts on it; one task sends, one receives."""

    def __init__(self, socket: RemoteSocket) -> None:
        self._socket = socket
        self._contexts: dict[str, Context] = {}
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()  # two messages a context at most
        self._tasks = Background()
        self.is_open = True
        for work, name in ((self._read, "cartesia-tts-read"), (self._write, "cartesia-tts-write")):
            self._tasks.start(self._guarded(work), name=name)

    def __len__(self) -> int:
        return len(self._contexts)

    def begin(self, context: Context, request: dict[str, Any]) -> None:
        """Have a text spoken."""
        self._contexts[context.name] = context
        self._outbox.put_nowait(request)

    def end(self, context: Context) -> None:
        """Want nothing more of it: what still comes is dropped."""
        del self._contexts[context.name]
        if self.is_open and not context.done:
            self._outbox.put_nowait(cancel_request(context.name))

    async def aclose(self) -> None:
        """Hang up."""
        self._fail(ConnectionFailed("cartesia.tts", "the connection was closed"))
        try:
            await self._tasks.aclose()
        finally:
            await self._socket.aclose()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        failure: VoiceBackendError = ConnectionFailed("cartesia.tts", "the vendor hung up")
        try:
            await work()
        except VoiceBackendError as error:
            failure = error
        finally:
            self._fail(failure)

    def _fail(self, error: VoiceBackendError) -> None:
        """Nothing more comes: tell every context, each by an error of its own."""
        self.is_open = False
        for name, context in self._contexts.items():
            own = from_code(error.code, error.op, error.message, details=error.details, retry_after=error.retry_after)
            context.take(Told(name, error=own))

    async def _read(self) -> None:
        async for message in messages(self._socket):
            if (told := parsed(message)) is None:
                continue
            if told.error is not None and not told.context:
                raise told.error
            if (context := self._contexts.get(told.context)) is not None:
                context.take(told)

    async def _write(self) -> None:
        while True:
            await self._socket.send(await self._outbox.get())


def _size(told: Told) -> int:
    return len(told.pcm) + _MESSAGE_BYTES * (1 + len(told.words))

"""A caller's websocket, from the caller's side: opened with a token, found again after a loss with a resume token."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import aiohttp
from pydantic import BaseModel

from voicebackend import events
from voicebackend._background import Background
from voicebackend.client.outgoing import Outgoing
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidFormat,
    OperationTimeout,
    SessionNotActive,
    VoiceBackendError,
    from_code,
)
from voicebackend.events import CLOSE_CODES, MAX_TEXT_BYTES, SUBPROTOCOL, TOKEN_PREFIX, Message, ServerMessage
from voicebackend.record import RESUME_S
from voicebackend.retry import RetryPolicy
from voicebackend.session import ConnectionState

logger = logging.getLogger(__name__)

CLOSE_S = 2.0
"""Seconds that the server has to say ``ended`` after ``stop``."""
COMING_BACK = RetryPolicy(max_retries=1000, delay_s=0.25, max_delay_s=2.0)
"""Between tries to find a lost session; it is ``RESUME_S`` that ends them."""
SPREAD_S = 0.1
"""Seconds over which callers spread their first tries: a gateway that goes loses all of its own at once."""
TRY_S = 5.0
"""Seconds for one try, so that one that hangs leaves time for others."""
_MAX_MESSAGE = max(MAX_TEXT_BYTES, 256 * 1024)
_FINAL = frozenset(CLOSE_CODES.values())
"""Close codes after which coming back is of no use."""


class Ticket(BaseModel):
    """A token that opens a session's socket once, and where."""

    token: str
    connect_url: str


class MediaListener(Protocol):
    """Hears what comes over the socket, in order; returns at once."""

    def on_event(self, message: ServerMessage) -> None:
        """Take a text message."""
        ...

    def on_audio(self, pcm: bytes) -> None:
        """Take agent audio of the caller's rate."""
        ...

    def on_connection(self, state: ConnectionState) -> None:
        """Learn that the socket was lost or found again."""
        ...

    def on_end(self, error: VoiceBackendError | None) -> None:
        """Learn that nothing will come any more; last of all."""
        ...


class MediaSocket:
    """Sends and receives; when the connection is lost it comes back within 20 s without the caller's doing."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        ticket: Callable[[], Awaitable[Ticket]],
        *,
        sample_rate: int,
        listener: MediaListener,
        timeout_s: float,
    ) -> None:
        self._client, self._ticket, self._rate = client, ticket, sample_rate
        self._listener, self._timeout_s = listener, timeout_s
        self._outgoing = Outgoing(sample_rate)
        self._background = Background()
        self._over = asyncio.Event()
        self._url = self._resume_token = ""

    async def open(self) -> None:
        """Connect and return once the session listens.

        Raises:
            VoiceBackendError: the server refuses, or does not answer in time.

        """
        socket = await self._enter(self._timeout_s)
        self._background.start(self._run(socket), name="media socket")

    async def send(self, message: Message | bytes) -> None:
        """Queue a message; waits while too many wait.

        Raises:
            SessionNotActive: the session is over.
            OperationTimeout: the socket takes nothing.

        """
        if self._over.is_set():
            raise SessionNotActive("send", "the session is over")
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._outgoing.put(message)
        except TimeoutError as error:
            raise OperationTimeout("send", "the connection takes no audio") from error

    async def stop(self) -> None:
        """End the session and wait a moment for the server to say so."""
        if not self._over.is_set():
            with suppress(TimeoutError, VoiceBackendError):
                async with asyncio.timeout(CLOSE_S):
                    await self.send(events.Stop())
                    await self._over.wait()
        await self.aclose()

    async def aclose(self) -> None:
        """Close the socket without ending the session."""
        await self._background.aclose()

    async def _run(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        error: VoiceBackendError | None = None
        try:
            while True:
                try:
                    await self._pump(socket)
                finally:
                    await socket.close()
                if self._over.is_set() or socket.close_code == events.CloseCode.NORMAL:
                    return
                if socket.close_code in _FINAL:
                    raise _closed(socket.close_code)
                self._listener.on_connection(ConnectionState.RECONNECTING)
                self._outgoing.lose()
                socket = await self._come_back()
                self._outgoing.find()
                self._listener.on_connection(ConnectionState.CONNECTED)
        except VoiceBackendError as lost:
            error = lost
        finally:
            self._over.set()
            self._listener.on_end(error)

    async def _pump(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        writer = asyncio.create_task(self._write(socket), name="media writer")
        try:
            async for message in socket:
                self._take(message)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await self._outgoing.next()
            try:
                if isinstance(message, bytes):
                    await socket.send_bytes(message)
                else:
                    await socket.send_str(message.to_json())
            except (aiohttp.ClientError, ConnectionError):
                await socket.close()  # the reader sees it and comes back
                return
            self._outgoing.sent()

    def _take(self, message: aiohttp.WSMessage) -> ServerMessage | None:
        """Hand a message to the listener; return it if it was text."""
        if message.type is aiohttp.WSMsgType.BINARY:
            self._listener.on_audio(message.data)
        told = _parsed(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
        if isinstance(told, events.Ready):
            self._resume_token = told.resume_token
        if isinstance(told, events.Ended):
            self._over.set()
        if told:
            self._listener.on_event(told)
        return told

    async def _come_back(self) -> aiohttp.ClientWebSocketResponse:
        """Try again and again for as long as the session waits; at once raise what cannot pass."""
        attempt, way = 0, self._resume
        try:
            async with asyncio.timeout(RESUME_S):
                await asyncio.sleep(random.random() * SPREAD_S)  # noqa: S311 - jitter
                while True:
                    attempt += 1
                    try:
                        return await way()
                    except VoiceBackendError as error:
                        delay = COMING_BACK.delay_after(attempt, error, jitter=random.random())  # noqa: S311 - jitter
                        if isinstance(error, AuthenticationFailed) and way == self._resume:
                            delay, way = 0.0, self._enter  # a try before may have spent the token and not come through
                        if delay is None:
                            raise
                    await asyncio.sleep(delay)
        except TimeoutError as error:
            raise ConnectionTimeout("resume", f"the session was not found again within {RESUME_S:g} s") from error

    async def _resume(self) -> aiohttp.ClientWebSocketResponse:
        return await self._connect((SUBPROTOCOL,), events.Auth(resume=self._resume_token), TRY_S)

    async def _enter(self, timeout_s: float = TRY_S) -> aiohttp.ClientWebSocketResponse:
        ticket = await self._ticket()
        self._url = ticket.connect_url
        return await self._connect((SUBPROTOCOL, TOKEN_PREFIX + ticket.token), None, timeout_s)

    async def _connect(
        self, protocols: tuple[str, ...], auth: Message | None, timeout_s: float
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a socket and return it once the server is ready."""
        try:
            async with asyncio.timeout(timeout_s):
                socket = await self._client.ws_connect(self._url, protocols=protocols, max_msg_size=_MAX_MESSAGE)
                try:
                    for message in (auth, events.Start(sample_rate=self._rate)):
                        if message:
                            await socket.send_str(message.to_json())
                    await self._until_ready(socket)
                except BaseException:
                    await socket.close()
                    raise
        except TimeoutError as error:
            raise ConnectionTimeout("start", "the gateway did not say ready in time") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionFailed("start", f"no websocket at the gateway: {type(error).__name__}") from error
        return socket

    async def _until_ready(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        refused: VoiceBackendError | None = None
        async for message in socket:
            told = self._take(message)
            if isinstance(told, events.Ready):
                return
            if isinstance(told, events.Error):
                refused = from_code(told.code, "start", told.message)
        raise refused or _closed(socket.close_code)


def _parsed(text: str) -> ServerMessage | None:
    try:
        return events.parse_server(text)
    except InvalidFormat as error:
        logger.warning("media: a message was passed over", extra={"error": error.message})
        return None


def _closed(code: int | None) -> VoiceBackendError:
    """Return the error that a close code stands for."""
    error = next((error for error, close in CLOSE_CODES.items() if close == code), None)
    if error:
        return from_code(error, "start")
    return ConnectionFailed("start", f"the gateway closed the socket with code {code}")

"""One connection to one Redis server for what goes hundreds of times a second.

The Redis client spends several times as long on a call as this does, most of it on what the audio path has no use
for: a connection from the pool, retries, a coroutine for each reply. Connecting is still the client's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any, NamedTuple, cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command = tuple[Any, ...]
"""A command and its arguments: bytes, text or numbers."""

CONNECT_S = 2.0
"""Seconds that connecting may take, all told."""


class SlotMoved(RedisConnectionError):
    """The Cluster keeps this key on another node: ask where, then try again."""


_REFUSALS: dict[str, type[Exception]] = {
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
    "LOADING": BusyLoadingError,
    "NOSCRIPT": NoScriptError,
    "CLUSTERDOWN": ClusterDownError,
    "MOVED": SlotMoved,
    "ASK": SlotMoved,
    "TRYAGAIN": SlotMoved,
}


def _refusal(text: str) -> Exception:
    """Return the error that Redis's words stand for: they begin with its name."""
    return _REFUSALS.get(text.split(" ", 1)[0], ResponseError)(text)


class Line:
    """Commands in, replies out, in order; any number may be under way.

    The connection is taken from the client's pool at the first call, kept, and closed with the client. The client's
    ``socket_timeout`` is how long a reply may take; after that everything under way fails and the next call connects.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._timeout_s: float | None = self._pool.connection_kwargs.get("socket_timeout")
        self._connecting = asyncio.Lock()
        self._connection: Any = None
        self._exchange: _Exchange | None = None

    async def replies(self, commands: tuple[Command, ...], *, wait_s: float | None = None) -> list[Any]:
        """Send commands together and return their replies: bytes, integers, lists, None, or the error of each.

        ``wait_s`` is how long they may block beside the client's own timeout.

        Raises:
            redis.exceptions.RedisError: Redis is not there, does not answer in time, or has become a replica.

        """
        exchange = self._exchange
        if exchange is None or exchange.lost:
            exchange = await self._connect()
        timeout_s = self._timeout_s if wait_s is None else wait_s + (self._timeout_s or CONNECT_S)
        replies = await exchange.send(commands, timeout_s)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            exchange.abort()
            raise RedisConnectionError("this server is a replica now")
        return replies

    async def aclose(self) -> None:
        """Give the connection back to its client, closed; whoever waits for a reply gets an error."""
        async with self._connecting:
            if self._exchange is not None:
                self._exchange.abort()
            await self._let_go()

    async def _let_go(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    async def _connect(self) -> _Exchange:
        async with self._connecting:
            if self._exchange is None or self._exchange.lost:
                await self._let_go()
                try:
                    async with asyncio.timeout(CONNECT_S):
                        self._connection = await self._pool.get_connection()
                except TimeoutError as error:
                    raise RedisTimeoutError("no connection in time") from error
                self._exchange = _Exchange(self._connection._writer.transport)  # noqa: SLF001 - no public way to it
            return self._exchange


class _Waiting(NamedTuple):
    """Who waits for so many replies, until when in seconds of the loop's clock."""

    replies: int
    future: asyncio.Future[list[Any]]
    until: float


class _Exchange(asyncio.Protocol):
    """A transport that the client has connected, from now on with us at its end.

    A timer for each command would cost as much as the command: one alone looks when the first is overdue.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._before = transport, cast("asyncio.Protocol", transport.get_protocol())
        self._reader = hiredis.Reader(replyError=_refusal)
        self._waiting: deque[_Waiting] = deque()
        self._look: asyncio.TimerHandle | None = None
        self._replies: list[Any] = []
        self._loop = asyncio.get_running_loop()
        transport.set_protocol(self)
        self.lost = transport.is_closing()

    def send(self, commands: tuple[Command, ...], timeout_s: float | None) -> asyncio.Future[list[Any]]:
        """Write commands; the future is their replies, or a timeout's error."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        until = math.inf if timeout_s is None else self._loop.time() + timeout_s
        self._waiting.append(_Waiting(len(commands), future, until))
        self._look_at(until)
        self._transport.write(b"".join([hiredis.pack_command(command) for command in commands]))
        return future

    def _look_at(self, when: float) -> None:
        if when < (math.inf if self._look is None else self._look.when()):
            if self._look is not None:
                self._look.cancel()
            self._look = self._loop.call_at(when, self._look_again)

    def _look_again(self) -> None:
        """Give the connection up if a reply is overdue: what comes late would be taken for another's."""
        self._look = None
        now = self._loop.time()
        overdue = [waiting.future for waiting in self._waiting if waiting.until <= now]
        for future in overdue:
            if not future.done():
                future.set_exception(RedisTimeoutError("no reply in time"))
        if overdue:
            self.abort()
        elif self._waiting:
            self._look_at(min(waiting.until for waiting in self._waiting))

    def abort(self) -> None:
        """Give the connection up at once."""
        self.lost = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand replies to who waits for them."""
        self._reader.feed(data)
        while self._waiting:
            count, future, _ = self._waiting[0]
            while len(self._replies) < count:
                reply = self._reader.gets()
                if reply is False:
                    return
                self._replies.append(reply)
            self._waiting.popleft()
            replies, self._replies = self._replies, []
            if not future.done():
                future.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits, and tell the client, which may be the one that closes."""
        self.lost = True
        if self._look is not None:
            self._look.cancel()
        for waiting in self._waiting:
            if not waiting.future.done():
                waiting.future.set_exception(RedisConnectionError("connection lost"))
        self._waiting.clear()
        self._before.connection_lost(exc)

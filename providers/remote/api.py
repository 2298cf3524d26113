"""One vendor's API: a connection pool, deadlines, retries and a breaker, in front of requests, streams and sockets.

What it is made of takes a third of a second to import: it is, off the event loop, when the first of a process opens.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.trace import SpanKind

from providers.remote.config import MAX_MESSAGE_BYTES, RemoteConfig
from providers.remote.health import judged, told_by, watch
from providers.remote.socket import RemoteSocket
from providers.remote.wire import is_undone, watched
from voicebackend.breaker import Breaker
from voicebackend.errors import (
    ConnectionFailed,
    ConnectionTimeout,
    InvalidFormat,
    VoiceBackendError,
)
from voicebackend.retry import always, retrying
from voicebackend.session import Health
from voicebackend.statuses import from_status
from voicebackend.telemetry import measured

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

MAX_BODY_BYTES = 4 * 2**20
"""Of an answer that is read whole."""
MAX_FAILURES = 5
"""Failures in a row after which the vendor is left alone for a while."""
COOL_DOWN_S = 5.0
"""Seconds for which it is."""
_FAILED_FROM = 300
"""Redirects, too: who is led elsewhere would take the key there."""
_TEXT_TYPES = ("text/", "application/json", "application/problem")


class RemoteApi:
    """Reaches one vendor for all sessions of a process; ``open`` before use, once in a loop.

    Every method raises ``voicebackend.errors`` only; the URL, which may carry a token, is in none of them.
    """

    def __init__(self, name: str, config: RemoteConfig, *, url: str, headers: Mapping[str, str] | None = None) -> None:
        """``name`` labels errors, metrics and spans; ``headers``, with the key, go with every request."""
        self.name, self.url = name, url.rstrip("/")
        self._config, self._headers = config, dict(headers or {})
        self._breaker = Breaker(max_failures=MAX_FAILURES, cool_down_s=COOL_DOWN_S)
        self._client: aiohttp.ClientSession | None = None
        self._last_try = Health.UNKNOWN
        watch(self)

    def __repr__(self) -> str:
        return f"<RemoteApi {self.name} [{self._breaker.state}]>"

    @property
    def is_healthy(self) -> bool:
        """Whether it is not being left alone after too many failures."""
        return self._breaker.admits(time.monotonic())

    @property
    def health(self) -> Health:
        """How the vendor is doing, as far as this has tried to reach it."""
        return judged(self._breaker.state, self._last_try)

    async def open(self) -> None:
        """Make ready; safe to call again."""
        await asyncio.to_thread(import_module, "aiohttp")
        import aiohttp

        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._config.connect_timeout.total_seconds())
            self._client = aiohttp.ClientSession(timeout=timeout, headers=self._headers, trace_configs=[watched()])

    async def aclose(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def json(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: Callable[[], Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Any:
        """Return what the path answers, None for an empty body; repeated as the settings say.

        Its headers have ``first_byte_timeout`` and all of its body ``idle_timeout``, however steadily it drips.

        ``body`` is sent as JSON; or ``data`` makes anew, for each try, what is sent as it is (a form, say). ``headers``
        go with this request only. With ``once``, for what would be made twice, it is repeated only where nothing was
        sent, or the vendor says that it did nothing.

        Raises:
            VoiceBackendError: the class of the status, ``InvalidFormat`` for what is no JSON or too long,
                ``ConnectionTimeout`` for what takes too long.

        """
        sent = asyncio.Event()

        async def ask() -> Any:
            sent.clear()
            told = {"params": params, "headers": headers, "trace_request_ctx": sent, **_payload(body, data)}
            response = await self._answered(operation, method, path, **told)
            with closing(response):
                raw = await self._whole(operation, response)
            try:
                return json.loads(raw) if raw else None
            except ValueError:
                raise InvalidFormat(self._op(operation), "the answer is no JSON") from None

        def again(error: VoiceBackendError) -> bool:
            return not (once and sent.is_set()) or is_undone(error)

        return await self._tried(operation, ask, again=again)

    @asynccontextmanager
    async def stream(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: Callable[[], Any] | None = None,
        binary: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the answer's body piece by piece; until its headers are there it is tried again as the settings say.

        Leaving the context before the end aborts the request. With ``binary``, audio is wanted: what calls itself text
        or JSON is none.

        Raises:
            VoiceBackendError: the class of the status; ``ConnectionTimeout`` if a piece is too long in coming;
                ``InvalidFormat`` for text in the place of audio.

        """

        async def once() -> aiohttp.ClientResponse:
            return await self._answered(operation, method, path, **_payload(body, data))

        with closing(await self._tried(operation, once)) as response:
            if binary and response.content_type.startswith(_TEXT_TYPES):
                raise InvalidFormat(self._op(operation), "the answer is text, not audio")
            yield self._pieces(operation, response)

    async def connect(
        self,
        operation: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_MESSAGE_BYTES,
    ) -> RemoteSocket:
        """Return an open websocket; ``path`` may be a whole URL. Repeated as the settings say.

        Raises:
            VoiceBackendError: the class of the handshake's status, or why it cannot be reached.

        """
        import aiohttp

        config = self._config

        async def once() -> RemoteSocket:
            with self._mapped(operation):
                try:
                    async with asyncio.timeout(config.connect_timeout.total_seconds()):
                        ws = await self._session.ws_connect(
                            self._at(path),
                            params=params,
                            headers=headers,
                            max_msg_size=max_bytes,
                            heartbeat=config.idle_timeout.total_seconds(),
                            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),  # pyright: ignore[reportCallIssue]  # a decorator makes it
                        )
                except aiohttp.WSServerHandshakeError as error:
                    after = error.headers.get("Retry-After") if error.headers else None
                    raise from_status(error.status, self._op(operation), retry_after=after) from None
            return RemoteSocket(ws, op=self._op(operation))

        return await self._tried(operation, once)

    # ------------------------------------------------------------ one try

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            raise ConnectionFailed(self.name, "not open")
        return self._client

    async def _answered(self, operation: str, method: str, path: str, **kwargs: Any) -> aiohttp.ClientResponse:
        """Return the answer, of which nothing is read yet, if it is no refusal; whoever takes it closes it."""
        with self._mapped(operation):
            async with asyncio.timeout(self._config.first_byte_timeout.total_seconds()):
                response = await self._session.request(method, self._at(path), allow_redirects=False, **kwargs)
        if response.status < _FAILED_FROM:
            return response
        response.close()
        after = response.headers.get("Retry-After")
        raise from_status(response.status, self._op(operation), retry_after=after)

    async def _whole(self, operation: str, response: aiohttp.ClientResponse) -> bytes:
        found = bytearray()
        with self._mapped(operation):
            async with asyncio.timeout(self._config.idle_timeout.total_seconds()):
                async for piece in self._pieces(operation, response):
                    found += piece
                    if len(found) > MAX_BODY_BYTES:
                        raise InvalidFormat(self._op(operation), f"the answer is longer than {MAX_BODY_BYTES} bytes")
        return bytes(found)

    async def _pieces(self, operation: str, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        first, idle = (self._config.first_byte_timeout, self._config.idle_timeout)
        wait_s = first.total_seconds()
        while True:
            with self._mapped(operation):
                async with asyncio.timeout(wait_s):
                    piece = await response.content.readany()
            if not piece:
                return
            yield piece
            wait_s = idle.total_seconds()

    async def _tried(
        self, operation: str, once: Callable[[], Awaitable[T]], *, again: Callable[[VoiceBackendError], bool] = always
    ) -> T:
        """Try as often as the settings say, unless the last tries of other sessions say that it is no use."""
        if not self.is_healthy:
            raise ConnectionFailed(self._op(operation), "left alone for some seconds after too many failures")
        with measured(f"vendor.{operation}", provider=self.name, kind=SpanKind.CLIENT):
            return await retrying(self._config.retry, partial(self._guarded, once), again=again)

    async def _guarded(self, once: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await once()
        except VoiceBackendError as error:
            self._last_try = told_by(error)
            if isinstance(error, ConnectionFailed | ConnectionTimeout):
                self._breaker.failed(time.monotonic())
            else:
                self._breaker.succeeded()  # it answers
            raise
        self._breaker.succeeded()
        self._last_try = Health.HEALTHY
        return result

    def _at(self, path: str) -> str:
        return path if "://" in path else self.url + path

    def _op(self, operation: str) -> str:
        return f"{self.name}.{operation}"

    @contextmanager
    def _mapped(self, operation: str) -> Iterator[None]:
        """Raise ours for aiohttp's, whose words carry the URL: so they are not even kept as the cause."""
        import aiohttp

        try:
            yield
        except VoiceBackendError:
            raise
        except TimeoutError as error:
            raise ConnectionTimeout(self._op(operation), details={"cause": type(error).__name__}) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectionFailed(self._op(operation), details={"cause": type(error).__name__}) from None


def _payload(body: Any, data: Callable[[], Any] | None) -> dict[str, Any]:
    if body is not None:
        return {"json": body}
    return {} if data is None else {"data": data()}

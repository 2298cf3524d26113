"""The client's side of the HTTP API: requests that are retried, problems that become our errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from voicebackend.errors import ConnectionFailed, ConnectionTimeout, VoiceBackendError, from_code
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.tracing import inject

MAX_CONNECT_S = 5.0
"""Seconds to reach the server; the answer has the config's timeout."""

_PIECE = 256 * 1024
"""Bytes of a download at once."""

Model = TypeVar("Model", bound=BaseModel)


class HttpApi:
    """One control service. ``client`` is there between ``open`` and ``aclose``, for websockets too."""

    def __init__(self, url: str, api_key: str, *, policy: RetryPolicy, timeout_s: float) -> None:
        self._url, self._api_key, self._policy = url.rstrip("/"), api_key, policy
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, MAX_CONNECT_S))
        self._around: Callable[[str], AbstractContextManager[Any]] = lambda op: nullcontext()
        self.client: aiohttp.ClientSession

    def __repr__(self) -> str:
        return f"<HttpApi {self._url}>"

    async def open(self) -> None:
        """Make ready for requests."""
        self.client = aiohttp.ClientSession(timeout=self._timeout)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.client.close()

    def within(self, around: Callable[[str], AbstractContextManager[Any]]) -> Self:
        """Return the same, open or not, which sends each request within what this gives for its ``op``."""
        other = copy(self)
        other._around = around  # noqa: SLF001 - a copy of this
        return other

    async def get(self, op: str, path: str, model: type[Model]) -> Model:
        """Return what the path answers; see :meth:`send`."""
        return _as(model, await self.send(op, "GET", path), op)

    async def send(
        self,
        op: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        once: bool = False,
    ) -> Any:
        """Send a request and return the JSON it is answered with, None if with nothing.

        Repeated as the retry policy says: a session created twice by that is never connected, and expires. Not with
        ``once``, where the answer has a secret: a second one could take the place of the first, which nobody has seen.
        ``accept`` lists statuses from 400 on whose body is an answer and no problem.

        Raises:
            VoiceBackendError: the problem that the server tells.
            ConnectionFailed, ConnectionTimeout: it cannot be reached.

        """

        async def attempt() -> Any:
            return await self._once(op, self._request(method, path, body, headers), accept)

        with self._around(op):
            return await retrying(replace(self._policy, max_retries=0) if once else self._policy, attempt)

    async def download(
        self,
        op: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = None,
    ) -> AsyncIterator[bytes]:
        """Yield what a request is answered with, piece by piece; raises as :meth:`send`. Never repeated.

        It may take as long as it wants, but each piece has ``patience_s``, by default the config's timeout.
        """
        patience_s = patience_s or self._timeout.total
        timeout = aiohttp.ClientTimeout(sock_connect=self._timeout.sock_connect, sock_read=patience_s)
        with self._errors(op):
            async with self._request(method, path, body, headers, timeout=timeout) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    told, retry_after = _json(await response.read()), response.headers.get("Retry-After", "")
                    raise self._problem(op, response.status, told, retry_after)
                async for piece in response.content.iter_chunked(_PIECE):
                    yield piece

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None,
        headers: Mapping[str, str] | None,
        *,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        kind = {} if body is None else {"Content-Type": _media_type(body)}
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        about = {"Authorization": f"Bearer {self._api_key}", "traceparent": inject(), **kind, **(headers or {})}
        url = self._url + path
        return self.client.request(method, url, data=data, headers=about, timeout=timeout or self._timeout)

    @contextmanager
    def _errors(self, op: str) -> Iterator[None]:
        """Translate what goes wrong on the way."""
        try:
            yield
        except TimeoutError as error:
            raise ConnectionTimeout(op, f"{self._url} did not answer in time") from error
        except aiohttp.ClientError as error:
            raise ConnectionFailed(op, f"{self._url} cannot be reached: check the address and that it runs") from error

    async def _once(
        self, op: str, request: AbstractAsyncContextManager[aiohttp.ClientResponse], accept: tuple[int, ...]
    ) -> Any:
        with self._errors(op):
            async with request as response:
                content = await response.read()
        if response.status < HTTPStatus.BAD_REQUEST or response.status in accept:
            return _json(content) if content else None
        raise self._problem(op, response.status, _json(content), response.headers.get("Retry-After", ""))

    def _problem(self, op: str, status: int, told: Any, retry_after: str) -> VoiceBackendError:
        if not (isinstance(told, dict) and "code" in told):
            return ConnectionFailed(op, f"{self._url} answers {status}, and not as a voice backend does")
        seconds = float(retry_after) if retry_after.isdecimal() else None
        return from_code(
            str(told["code"]), op, told.get("detail"), details=told.get("details") or {}, retry_after=seconds
        )


def _media_type(body: Mapping[str, Any] | bytes) -> str:
    return "application/octet-stream" if isinstance(body, bytes) else "application/json"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _as(model: type[Model], data: Any, op: str) -> Model:
    """Read an answer; fields of a newer server are passed over where the model allows."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConnectionFailed(op, "the server's answer is not one of a voice backend") from error

"""The client's side of the HTTP API: requests that are retried, problems that become our errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from voicebackend.errors import ConnectionFailed, ConnectionTimeout, VoiceBackendError, from_code
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.telemetry import inject

MAX_CONNECT_S = 5.0
"""Seconds to reach the server; the answer has the config's timeout."""

Model = TypeVar("Model", bound=BaseModel)


class HttpApi:
    """One control service. ``client`` is there between ``open`` and ``aclose``, for websockets too."""

    def __init__(self, url: str, api_key: str, *, policy: RetryPolicy, timeout_s: float) -> None:
        self._url, self._api_key, self._policy = url.rstrip("/"), api_key, policy
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, MAX_CONNECT_S))
        self.client: aiohttp.ClientSession

    def __repr__(self) -> str:
        return f"<HttpApi {self._url}>"

    async def open(self) -> None:
        """Make ready for requests."""
        self.client = aiohttp.ClientSession(timeout=self._timeout)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.client.close()

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
    ) -> Any:
        """Send a request and return the JSON it is answered with, None if with nothing.

        Repeated as the retry policy says: a session created twice by that is never connected, and expires.
        ``accept`` lists statuses from 400 on whose body is an answer and no problem.

        Raises:
            VoiceBackendError: the problem that the server tells.
            ConnectionFailed, ConnectionTimeout: it cannot be reached.

        """
        kind = {} if body is None else {"Content-Type": _media_type(body)}
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        about = {"Authorization": f"Bearer {self._api_key}", "traceparent": inject(), **kind, **(headers or {})}

        async def once() -> Any:
            request = self.client.request(method, self._url + path, data=data, headers=about)
            return await self._once(op, request, accept)

        return await retrying(self._policy, once)

    async def _once(
        self, op: str, request: AbstractAsyncContextManager[aiohttp.ClientResponse], accept: tuple[int, ...]
    ) -> Any:
        try:
            async with request as response:
                content = await response.read()
        except TimeoutError as error:
            raise ConnectionTimeout(op, f"{self._url} did not answer in time") from error
        except aiohttp.ClientError as error:
            raise ConnectionFailed(op, f"{self._url} cannot be reached: check the address and that it runs") from error
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

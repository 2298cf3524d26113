"""An agent behind HTTP: what requests of every kind to it share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp

from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.guarded_http import check_url, guarded_client
from voicebackend.tracing import inject

MAX_LINE = 64 * 1024
"""Bytes in one line of a streamed answer."""


class Endpoint:
    """One URL that is asked by POST; its connections are kept, one set for each event loop.

    ``secret_env`` names the environment variable that holds the secret; it is read when the endpoint is made. With
    ``private`` the URL may be in our own network, and without TLS.

    Raises:
        InvalidConfig: the URL may not be asked, or the environment variable is not set.

    """

    def __init__(self, url: str, *, secret_env: str = "", private: bool = False) -> None:
        self._url, self._private = check_url(url, field="url", private=private), private
        self.secret = _secret(secret_env)
        self._clients: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    @asynccontextmanager
    async def asked(self, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a body and give the answer, to be read while the context is open; its end ends the connection.

        Raises:
            AgentError: the endpoint cannot be reached, or answers with another status than 200.

        """
        told = {"Content-Type": "application/json", "traceparent": inject(), **headers}
        try:
            request = self._client().post(self._url, data=body, headers=told, allow_redirects=False)
            async with request as response:
                if response.status != HTTPStatus.OK:
                    raise AgentError("agent", f"the agent's endpoint answered with status {response.status}")
                yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:  # the last: a line that is too long
            raise AgentError("agent", f"the agent's endpoint failed: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _client(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        for old in [known for known in self._clients if known.is_closed()]:
            del self._clients[old]
        if loop not in self._clients:
            self._clients[loop] = guarded_client(private=self._private)
        return self._clients[loop]


async def lines(response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
    """Yield an answer line by line as it comes.

    Raises:
        AgentError: a line is too long.

    """
    waiting = b""
    async for piece in response.content.iter_any():
        *whole, waiting = (waiting + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
        if len(waiting) > MAX_LINE:
            raise AgentError("agent", f"a line of the agent's answer has at most {MAX_LINE} bytes")
    if waiting:
        yield waiting.decode("utf-8", "replace").rstrip("\r")


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "") if variable else ""
    if variable and not value:
        details: dict[str, Any] = {"field": variable}
        raise InvalidConfig("agent", f"{variable}: set it to the secret of the agent's endpoint", details=details)
    return value

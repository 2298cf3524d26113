"""One carrier's HTTP API: requests with a deadline, answers as data, refusals as errors of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidFormat
from voicebackend.statuses import code_word, from_status

TIMEOUT_S = 8.0
"""Seconds that a request may take as a whole, its answer's last byte included."""
MAX_BYTES = 256 * 1024
"""Of an answer."""
_FAILED_FROM = 300
"""Redirects, too: who is led elsewhere would take the key there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a carrier answered."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Empty for what is no JSON object."""
    retry_after: str | None = None

    @property
    def code(self) -> str:
        """The carrier's own code of what went wrong, if it is a number or a word."""
        found = self.body.get("code")
        return code_word(str(found) if isinstance(found, int) else found) or ""

    def checked(self, op: str) -> Mapping[str, Any]:
        """Return the body of an answer that is no refusal.

        Raises:
            VoiceBackendError: the class of the status; ``details`` has ``status`` and ``carrier_code``.

        """
        if self.status < _FAILED_FROM:
            return self.body
        raise from_status(self.status, op, retry_after=self.retry_after, details={"carrier_code": self.code})


class CarrierApi:
    """Nothing is repeated here: to dial twice is worse than not to, and who hangs up or asks is repeated by the plan.

    Addresses and bodies have numbers in them: they are in no error and no log.
    """

    def __init__(self, name: str, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        """``headers``, with the key, go with every request."""
        self.name, self._url, self._headers = name, url.rstrip("/"), dict(headers or {})
        self._client: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<CarrierApi {self.name}>"

    async def ask(
        self,
        op: str,
        method: str,
        path: str,
        *,
        form: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Send a form, or ``body`` as JSON, and return what is answered, refusals too.

        Raises:
            ConnectionFailed, ConnectionTimeout: there is no whole answer; whether the carrier did it, nobody knows.
            InvalidFormat: it is too long.

        """
        where = f"{self.name}.{op}"
        sent: dict[str, Any] = {"data": form} if form is not None else {"json": body} if body is not None else {}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session().request(
                    method, self._url + path, params=params, headers=headers, allow_redirects=False, **sent
                ) as response,
            ):
                raw = await _read(response.content)
        except TimeoutError:
            raise ConnectionTimeout(where) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # their words carry the address
            raise ConnectionFailed(where, details={"cause": type(error).__name__}) from None
        if len(raw) > MAX_BYTES:
            raise InvalidFormat(where, f"the answer is longer than {MAX_BYTES} bytes")
        return Answer(status=response.status, body=_object(raw), retry_after=response.headers.get("Retry-After"))

    async def aclose(self) -> None:
        """Close every connection; another request opens them anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=None)  # each request has its own
            self._client = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self._client


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return all of an answer, or more than ``MAX_BYTES`` of one that is too long."""
    raw = b""
    while len(raw) <= MAX_BYTES and (more := await content.read(MAX_BYTES + 1)):
        raw += more
    return raw


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

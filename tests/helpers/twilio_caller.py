"""Telephone calls as Twilio tells of them, for tests on real processes: ids of their own, signed webhooks."""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from xml.etree import ElementTree

import aiohttp
from carrier_webhooks import OK, hold_of

TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Told:
    """A call that was told of, and how that was answered."""

    call_id: str
    status: int
    body: str

    @property
    def stream(self) -> str:
        """Where it is to be streamed; empty if it was refused."""
        found = ElementTree.fromstring(self.body).find("Connect/Stream") if self.status == 200 else None  # noqa: S314
        return "" if found is None else found.attrib["url"]

    @property
    def session(self) -> str:
        """Its session; empty if it was refused."""
        return self.stream.rsplit("/", 1)[-1]

    @property
    def refusal(self) -> str:
        """In the carrier's words; empty if it was taken."""
        found = ElementTree.fromstring(self.body).find("Reject") if self.status == 200 else None  # noqa: S314
        return "" if found is None else found.attrib["reason"]


class TwilioCaller:
    """Tells of calls to a trunk; reads and ends their sessions by the API."""

    def __init__(self, http: aiohttp.ClientSession, url: str, api_key: str, *, trunk: str = "main") -> None:
        self._http, self._url, self._trunk = http, url, trunk
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def tell(self, *, call_id: str = "", url: str = "", **form: str) -> Told:
        """Tell of a call, by the control process at ``url`` if that is given."""
        call_id = call_id or f"CA{uuid4().hex}"
        address = f"{url or self._url}/v1/telephony/{self._trunk}/call"
        fields = {"CallSid": call_id, "From": "+12025550111", "To": "+14155559999", **form}
        told = await self._post(address, fields)
        while told.status == OK and (again := hold_of("twilio", told.body)) is not None:
            await asyncio.sleep(again.wait_s)
            told = await self._post(again.url, fields)
        return told

    async def _post(self, address: str, fields: dict[str, str]) -> Told:
        signed = address + "".join(name + fields[name] for name in sorted(fields))
        signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        async with self._http.post(address, data=urlencode(fields), headers=headers) as response:
            return Told(fields["CallSid"], response.status, await response.text())

    async def get(self, path: str) -> Any:
        """Return what the API answers."""
        async with self._http.get(f"{self._url}{path}", headers=self._headers) as response:
            return await response.json()

    async def post(self, path: str, body: Any) -> Any:
        """Return what the API answers."""
        async with self._http.post(f"{self._url}{path}", json=body, headers=self._headers) as response:
            return await response.json()

    async def end(self, told: Told) -> None:
        """End a call's session."""
        headers = {**self._headers, "Prefer": "wait=10"}
        async with self._http.delete(f"{self._url}/v1/sessions/{told.session}", headers=headers) as response:
            assert response.status in {202, 204}, await response.text()

    async def target(self) -> str:
        """Return which target takes a call now; empty if none does. The call is ended again."""
        told = await self.tell()
        if not told.session:
            return ""
        found = await self.get(f"/v1/sessions/{told.session}")
        await self.end(told)
        return str(found["metadata"]["target"])

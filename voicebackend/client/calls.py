"""Telephone calls that we make, over HTTP: planned, read, called off; and numbers that are not to be called."""

from __future__ import annotations

import secrets
from urllib.parse import quote

from voicebackend.calls import CallPage, CallRequest, CallView, Listed
from voicebackend.client.http import HttpApi

_PATH = "/v1/calls"


class CallService:
    """One deployment's calls. Every method raises the problem that the server tells, as an error of ours."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def create(self, request: CallRequest, *, key: str = "") -> CallView:
        """Have a number called, now or when the request says; with the same ``key`` it is one call, however often."""
        body = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return CallView.model_validate(await self._api.send("create_call", "POST", _PATH, body=body, headers=headers))

    async def get(self, call_id: str) -> CallView:
        """Return a call with its attempts."""
        return await self._api.get("get_call", f"{_PATH}/{quote(call_id, safe='')}", CallView)

    async def page(self, cursor: str = "") -> CallPage:
        """Return up to 100 calls, newest first, those after the page with this cursor."""
        return await self._api.get("list_calls", f"{_PATH}?cursor={quote(cursor)}", CallPage)

    async def cancel(self, call_id: str) -> None:
        """Call a call off, also while it rings or is talked in."""
        await self._api.send("cancel_call", "DELETE", f"{_PATH}/{quote(call_id, safe='')}")

    async def do_not_call(self, number: str, reason: str = "") -> Listed:
        """Put a number (E.164) on the list of those that are not called."""
        body = {"reason": reason}
        return Listed.model_validate(await self._api.send("do_not_call", "PUT", _listed(number), body=body))

    async def allow_calls(self, number: str) -> None:
        """Take a number off that list."""
        await self._api.send("do_not_call", "DELETE", _listed(number))


def _listed(number: str) -> str:
    return f"/v1/do-not-call/{quote(number, safe='')}"

"""A deployment's API keys, over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from voicebackend.api_keys import GRACE_S, KeyIssued, KeyList, KeyView
from voicebackend.client.http import HttpApi

_OP = "api_keys"


class KeyService:
    """One deployment's keys. Every method raises the problem that the server tells, as an error of ours.

    ``tenant`` is another tenant than the key's own, which is for operators.
    """

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def create(self, name: str, scopes: list[str], *, tenant: str | None = None) -> KeyIssued:
        """Return a new key with its secret, which is not shown again.

        Not repeated by itself: where the answer was lost, ``all`` shows whether there is one, to be revoked.
        """
        body = {"name": name, "scopes": scopes, **({"tenant": tenant} if tenant else {})}
        return KeyIssued.model_validate(await self._api.send(_OP, "POST", "/v1/keys", body=body, once=True))

    async def all(self, *, tenant: str | None = None) -> list[KeyView]:
        """Return the keys that open, oldest first."""
        return (await self._api.get(_OP, f"/v1/keys{_query(tenant)}", KeyList)).keys

    async def rotate(self, key_id: str, *, grace_s: int = GRACE_S, tenant: str | None = None) -> KeyIssued:
        """Return a key in the place of this one, which opens for ``grace_s`` seconds more: 0 to 30 days.

        Not repeated by itself: where the answer was lost, ``all`` shows whether there is one, to be revoked.
        """
        path = f"/v1/keys/{quote(key_id, safe='')}/rotate{_query(tenant)}"
        told: Any = await self._api.send(_OP, "POST", path, body={"grace": grace_s}, once=True)
        return KeyIssued.model_validate(told)

    async def revoke(self, key_id: str, *, tenant: str | None = None) -> None:
        """Have a key open no more."""
        await self._api.send(_OP, "DELETE", f"/v1/keys/{quote(key_id, safe='')}{_query(tenant)}")


def _query(tenant: str | None) -> str:
    return f"?{urlencode({'tenant': tenant})}" if tenant else ""

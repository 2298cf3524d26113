"""Where a deployment tells of its sessions, over HTTP: endpoints with their secrets, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from voicebackend.client.http import HttpApi
from voicebackend.webhook_endpoints import (
    EndpointIssued,
    EndpointList,
    EndpointView,
    UndeliveredList,
    UndeliveredView,
)
from voicebackend.webhooks import EventType


class WebhookService:
    """One deployment's webhooks. Every method raises the problem that the server tells, as an error of ours."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api

    async def add(self, url: str, events: Sequence[EventType | str] = ()) -> EndpointIssued:
        """Have events of these types, all if none is named, posted there; keep the answer's ``secret``, shown once.

        Not repeated by itself: where the answer was lost, ``list`` shows whether it was added, to be removed.
        """
        body = {"url": url, "events": [str(event) for event in events]}
        told = await self._api.send("add_webhook", "POST", "/v1/webhooks", body=body, once=True)
        return EndpointIssued.model_validate(told)

    async def list(self) -> list[EndpointView]:
        """Return the endpoints, oldest first."""
        return (await self._api.get("list_webhooks", "/v1/webhooks", EndpointList)).webhooks

    async def remove(self, webhook_id: str) -> None:
        """Have nothing posted there any more."""
        await self._api.send("remove_webhook", "DELETE", _path(webhook_id))

    async def rotate(self, webhook_id: str) -> EndpointIssued:
        """Return an endpoint with a new secret; for a day the one before it signs too.

        Not repeated by itself: where the answer was lost, rotate again, up to 4 times a day; all of them sign.
        """
        told = await self._api.send("rotate_webhook", "POST", f"{_path(webhook_id)}/secret", once=True)
        return EndpointIssued.model_validate(told)

    async def undelivered(self) -> Sequence[UndeliveredView]:
        """Return deliveries that were given up, latest first, at most 100."""
        return (await self._api.get("undelivered_webhooks", "/v1/webhooks/undelivered", UndeliveredList)).deliveries

    async def deliver_again(self, delivery_id: str) -> None:
        """Have a delivery tried for another day that was given up."""
        path = f"/v1/webhooks/undelivered/{quote(delivery_id, safe='')}"
        await self._api.send("deliver_webhook_again", "POST", path)


def _path(webhook_id: str) -> str:
    return f"/v1/webhooks/{quote(webhook_id, safe='')}"

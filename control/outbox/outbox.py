"""What happened, written down for everybody who wants to be told, before anybody tries to tell them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from control.outbox.deliveries import Deliveries
from control.outbox.delivery import Delivery, event_id
from control.outbox.endpoints import endpoints_of
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.tasks import WEBHOOKS_DELIVER
from voicebackend.webhooks import Event, EventType

logger = logging.getLogger(__name__)


class Outbox:
    """Takes events of sessions; ``redis`` is the ``state`` role. Without a publisher they wait for the sweep."""

    def __init__(self, redis: Redis, keys: Keys, publisher: Publisher | None = None) -> None:
        self._redis, self._keys, self._publisher = redis, keys, publisher
        self._deliveries = Deliveries(redis, keys)

    async def wants(self, tenant: str, event: EventType) -> bool:
        """Tell whether any endpoint of a tenant is told of events of this type; where that is not known, it may be."""
        try:
            return any(one.wants(event) for one in await endpoints_of(self._redis, self._keys, tenant))
        except VoiceBackendError:
            return True

    async def put(
        self, event: EventType, *, tenant: str, session: str, about: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Write an event down for each endpoint that wants it, and have it delivered; told again, it is known.

        ``about`` tells events of one type in one session apart; ``data`` is ids, states and numbers.

        Raises:
            ConnectionFailed, ConnectionTimeout: Redis is not there: to be told again.

        """
        wanting = [one for one in await endpoints_of(self._redis, self._keys, tenant) if one.wants(event)]
        if not wanting:
            return
        told = Event(
            id=event_id(session, event, about),
            type=event.value,
            created_at=round(time.time(), 3),
            tenant=tenant,
            session_id=session,
            data=data or {},
        )
        for endpoint in wanting:
            delivery = Delivery.of(told, endpoint.id)
            if await self._deliveries.put(delivery, told=self._publisher is not None):
                await self.deliver(delivery.id)

    async def put_or_log(self, event: EventType, *, tenant: str, session: str, **more: Any) -> None:
        """Write an event down as ``put`` does, where what happened must go on: a failure is logged."""
        try:
            await self.put(event, tenant=tenant, session=session, **more)
        except VoiceBackendError as error:
            extra = {"session_id": session, "event": event.value, "code": str(error.code)}
            logger.warning("webhook not written", extra=extra)

    async def deliver(self, delivery_id: str) -> None:
        """Have a delivery tried that has its try; where that cannot be queued, the sweep finds it."""
        if self._publisher is None:
            return
        try:
            await self._publisher.publish(WEBHOOKS_DELIVER, delivery_id=delivery_id)
        except VoiceBackendError as error:
            logger.warning("webhook waits for the sweep", extra={"code": str(error.code)})

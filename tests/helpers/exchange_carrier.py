"""A deployment's own carrier: orders calls at ``carrier_exchange``, whose address is in ``EXCHANGE_URL``."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any, ClassVar

import aiohttp

from control.telephony.outbound.carrier import CallStatus, DialOrder, Outcome
from control.telephony.outbound.line import CarrierSetup
from voicebackend.errors import ConnectionFailed, InvalidConfig


class ExchangeCarrier:
    """Named by ``outbound.use`` in the settings."""

    polled: ClassVar[bool] = False
    joins_room: ClassVar[bool] = False

    def __init__(self, setup: CarrierSetup) -> None:
        self._url = os.environ["EXCHANGE_URL"]
        self._trunk = setup.name
        self._http: aiohttp.ClientSession | None = None

    async def dial(self, order: DialOrder) -> str:
        """Order a call."""
        return str((await self._ask("POST", "/dial", json=asdict(order)))["id"])

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Return how far a call is."""
        found = await self._ask("GET", f"/calls/{order.call}-{order.attempt}")
        return CallStatus(**{**found, "outcome": Outcome(found["outcome"])}) if found else None

    async def hang_up(self, carrier_call_id: str) -> None:
        """Not needed here."""
        raise InvalidConfig("hang_up", f"{carrier_call_id}: not here")

    async def aclose(self) -> None:
        """Close connections."""
        if self._http is not None:
            await self._http.close()

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        self._http = self._http or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        try:
            async with self._http.request(method, self._url + path, **options) as answer:
                return await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionFailed("exchange", type(error).__name__) from error

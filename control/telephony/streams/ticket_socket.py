"""A carrier's websocket that brings a ticket in the place of a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import WSMessage, WSMsgType, web

from control.telephony.streams.carrier_socket import CarrierSocket
from control.telephony.streams.dialect import Dialect
from voicebackend.events import Auth, parse_client

TICKETS = frozenset({"plivo"})
"""Carriers that hand back only letters and digits, which tokens are not."""
Exchange = Callable[[str], Awaitable[str]]
"""Returns the token of a ticket, empty if there is none."""


class TicketSocket(CarrierSocket):
    """Reads as any carrier's; in ``auth``, which comes first, is the token that the ticket is good for."""

    def __init__(self, ws: web.WebSocketResponse, dialect: Dialect, exchange: Exchange) -> None:
        super().__init__(ws, dialect)
        self._exchange: Exchange | None = exchange

    async def receive(self) -> WSMessage:
        """Return what the carrier says next; raises what ``CarrierSocket.receive`` and the exchange raise."""
        message = await super().receive()
        if self._exchange is None or message.type is not WSMsgType.TEXT:
            return message
        exchange, self._exchange = self._exchange, None
        auth = parse_client(message.data)
        if not isinstance(auth, Auth):
            return message
        told = auth.model_copy(update={"token": await exchange(auth.token or "")})
        return WSMessage(WSMsgType.TEXT, told.to_json(), None)

"""``/v1/telephony/{carrier}/stream/{id}``: a carrier's media stream, handed to the gateway as a caller's socket."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from control.access.tickets import token_of
from control.gateway.caller_socket import CallerSocket
from control.http.routing import Route
from control.services import SERVICES
from control.telephony.streams.away_socket import AwaySocket
from control.telephony.streams.carrier_socket import CarrierSocket
from control.telephony.streams.dialect import Dialect
from control.telephony.streams.exotel import Exotel
from control.telephony.streams.plivo import Plivo
from control.telephony.streams.telnyx import Telnyx
from control.telephony.streams.ticket_socket import TICKETS, TicketSocket
from control.telephony.streams.twilio import Twilio
from control.telephony.streams.vonage import Vonage
from voicebackend.errors import AuthorizationFailed, ErrorCode, InvalidConfig
from voicebackend.record import SessionRecord

DIALECTS: Mapping[str, type[Dialect]] = {kind.name: kind for kind in (Twilio, Telnyx, Plivo, Exotel, Vonage)}


async def stream(request: web.Request) -> web.StreamResponse:
    """Hold a carrier's websocket until the call is over; the token that we gave the carrier proves it."""
    dialect = DIALECTS.get(request.match_info["carrier"])
    if dialect is None:
        message = f"carrier: one of {', '.join(DIALECTS)}"
        raise InvalidConfig("media_stream", message, details={"field": "carrier"})

    services, session = request.app[SERVICES], request.match_info["session_id"]

    def speaking(ws: web.WebSocketResponse) -> CallerSocket:
        if dialect.name in TICKETS:
            return TicketSocket(ws, dialect(), lambda ticket: token_of(services.state, services.keys, ticket))
        return AwaySocket(CarrierSocket(ws, dialect()), lambda: services.handover.standing(session))

    def admits(record: SessionRecord) -> None:
        told = record.metadata.get("carrier")
        if told in list(DIALECTS) and told != dialect.name:  # any other is the deployment's own
            raise AuthorizationFailed("media_stream", "the session's call is another carrier's")

    return await services.gateway.serve(request, session, speaking=speaking, admits=admits)


ROUTES = [
    Route(
        method="GET",
        path="/v1/telephony/{carrier}/stream/{session_id}",
        operation="telephony.stream",
        handler=stream,
        about="A media stream of twilio, telnyx, plivo, exotel or vonage; its parameter `token` is the session's",
        answers={101: None},
        errors=(ErrorCode.INVALID_CONFIG,),
        public=True,
        streaming=True,
    ),
]

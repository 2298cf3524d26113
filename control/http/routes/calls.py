"""``/v1/telephony/{trunk}/call``: a carrier's word that a call has come, answered in its own language."""

from __future__ import annotations

from aiohttp import web

from control.http.carrier_webhooks import FORM, Webhook, connected, refusing_replays, response
from control.http.incoming_calls import Taken, take_call
from control.http.routing import Parameter, Route
from control.http.webhook_time import AGAIN, in_time
from control.services import SERVICES
from voicebackend.errors import ErrorCode


async def call(request: web.Request) -> web.Response:
    """Route a call and say where its media goes; asked again, say the same."""
    services = request.app[SERVICES]

    async def taken(webhook: Webhook, until: float) -> web.Response:
        line = webhook.line
        incoming = line.carrier.incoming(webhook.told)
        with refusing_replays("incoming_call"):
            answer = await take_call(services, webhook.switchboard, line, incoming, until=until)
        if isinstance(answer, Taken):
            return await connected(services, line, answer.session, answer.tenant)
        return response(line.carrier.refuse(answer.code))

    return await in_time(request, "incoming_call", taken)


ROUTES = [
    Route(
        method="POST",
        path="/v1/telephony/{trunk}/call",
        operation="telephony.call",
        handler=call,
        about="A carrier's webhook for a call that comes in; signed by the carrier, answered as it wants",
        answers={200: "application/xml"},
        errors=(
            *(ErrorCode.AUTHORIZATION_FAILED, ErrorCode.INVALID_FORMAT, ErrorCode.SESSION_NOT_FOUND),
            ErrorCode.SESSION_LIMIT_EXCEEDED,
        ),
        body=FORM,
        parameters=(Parameter(name=AGAIN, about="how often the carrier was told to ask again", type="integer"),),
        public=True,
    ),
]

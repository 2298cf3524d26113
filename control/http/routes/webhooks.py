"""``/v1/webhooks/livekit``: what a LiveKit server tells of its rooms."""

from __future__ import annotations

from aiohttp import web

from control.http.bodies import read_bytes
from control.http.routing import Route
from control.services import SERVICES
from control.webhooks.livekit import Credentials, verified
from control.webhooks.rooms import act_on
from voicebackend.errors import ErrorCode

MAX_EVENT = 64 * 1024
"""Bytes in an event."""
MEDIA_TYPE = "application/webhook+json"


async def livekit(request: web.Request) -> web.Response:
    """Take an event: 200 also for one that means nothing to us, so that it is not sent again."""
    services = request.app[SERVICES]
    credentials = Credentials.of(services.live.current)
    body = await read_bytes(request, MAX_EVENT)
    event = verified(body, request.headers.get("Authorization", ""), credentials)
    await act_on(
        event,
        credentials.room_name,
        redis=services.state,
        keys=services.keys,
        store=services.store,
        publisher=services.publisher,
    )
    return web.Response()


ROUTES = [
    Route(
        method="POST",
        path="/v1/webhooks/livekit",
        operation="webhooks.livekit",
        handler=livekit,
        about="Take an event of a LiveKit server, which signs it with the API secret",
        body=MEDIA_TYPE,
        answers={200: None},
        errors=(
            *(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT, ErrorCode.AUTHENTICATION_FAILED),
            ErrorCode.CONNECTION_FAILED,
        ),
        public=True,
    ),
]

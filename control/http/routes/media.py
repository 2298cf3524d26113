"""``/v1/sessions/{id}/media``: the caller's websocket, handed to the gateway."""

from __future__ import annotations

from aiohttp import web

from control.http.routing import Route
from control.services import SERVICES
from voicebackend.errors import ErrorCode


async def media(request: web.Request) -> web.StreamResponse:
    """Hold a caller's websocket until the call is over; it proves itself by a token, not an API key."""
    return await request.app[SERVICES].gateway.serve(request, request.match_info["session_id"])


ROUTES = [
    Route(
        method="GET",
        path="/v1/sessions/{session_id}/media",
        operation="sessions.media",
        handler=media,
        about="The caller's websocket: sub-protocols `voicebackend.v1` and `token.<jwt>`",
        answers={101: None},
        errors=(ErrorCode.INVALID_CONFIG,),
        public=True,
        streaming=True,
    ),
]

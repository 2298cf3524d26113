"""``/v1/sessions/{id}/levels``: how loud the caller is and how far playout is, as server-sent events."""

from __future__ import annotations

import json
from contextlib import aclosing

from aiohttp import web

from control.http.routes.sessions import session_of
from control.http.routing import Route
from control.services import SERVICES
from control.sessions.levels import Level, follow_levels
from voicebackend.errors import ErrorCode, SessionNotActive
from voicebackend.session import is_over


def level_text(level: Level | None) -> str:
    """Return a level as the stream carries it; None is a comment that keeps the connection open."""
    if level is None:
        return ": still here\n\n"
    return f"event: level\ndata: {json.dumps(level.to_dict(), separators=(',', ':'))}\n\n"


async def levels(request: web.Request) -> web.StreamResponse:
    """Send how the session stands whenever that changes, until it is over."""
    record, services = await session_of(request), request.app[SERVICES]
    if record.lane < 0 or is_over(record.state):
        raise SessionNotActive("levels", f"the session is {record.state}", details={"state": str(record.state)})
    with services.logs.streams.watched(record.tenant):
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await stream.prepare(request)
        async with aclosing(follow_levels(services.deployment, services.store, record)) as found:
            async for level in found:
                await stream.write(level_text(level).encode())
        await stream.write_eof()
    return stream


ROUTES = [
    Route(
        method="GET",
        path="/v1/sessions/{session_id}/levels",
        operation="sessions.levels",
        handler=levels,
        about="Follow how loud the caller is and how much of the agent's turn was heard, until the session is over",
        answers={200: "text/event-stream"},
        errors=(
            *(ErrorCode.SESSION_NOT_FOUND, ErrorCode.SESSION_NOT_ACTIVE),
            *(ErrorCode.RATE_LIMIT_EXCEEDED, ErrorCode.SESSION_LIMIT_EXCEEDED, ErrorCode.CONNECTION_FAILED),
        ),
        streaming=True,
    ),
]

"""``/v1/sessions/{id}/events``: a session's log as server-sent events, from its start or from where one left off."""

from __future__ import annotations

import json
import re
from contextlib import aclosing

from aiohttp import web

from control.http.routes.sessions import session_of
from control.http.routing import Parameter, Route
from control.services import SERVICES
from control.sessions.log import Entry
from voicebackend.errors import ErrorCode, InvalidConfig, VoiceBackendError

_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")


def event_text(found: Entry | None) -> str:
    """Return an entry as the stream carries it; None is a comment that keeps the connection open."""
    if found is None:
        return ": still here\n\n"
    name, entry = found
    return f"id: {name}\nevent: {entry['type']}\ndata: {json.dumps(entry, separators=(',', ':'))}\n\n"


async def events(request: web.Request) -> web.StreamResponse:
    """Send the session's events until it has ended."""
    after = request.headers.get("Last-Event-ID") or "0"
    if after != "0" and not _ENTRY_ID.fullmatch(after):
        raise InvalidConfig("events", "Last-Event-ID: not an id of these events", details={"field": "Last-Event-ID"})
    record = await session_of(request)
    with request.app[SERVICES].logs.streams.opened(record.tenant):
        return await _stream(request, record.id, after)


async def _stream(request: web.Request, session_id: str, after: str) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await stream.prepare(request)
    try:
        async with aclosing(request.app[SERVICES].logs.follow(session_id, after=after)) as entries:
            async for found in entries:
                await stream.write(event_text(found).encode())
    except VoiceBackendError as error:
        said = json.dumps({"type": "error", "code": str(error.code), "message": error.message})
        await stream.write(f"event: error\ndata: {said}\n\n".encode())
    await stream.write_eof()
    return stream


ROUTES = [
    Route(
        method="GET",
        path="/v1/sessions/{session_id}/events",
        operation="sessions.events",
        handler=events,
        about="Follow a session's events, up to `ended`",
        answers={200: "text/event-stream"},
        errors=(
            *(ErrorCode.INVALID_CONFIG, ErrorCode.SESSION_NOT_FOUND),
            *(ErrorCode.RATE_LIMIT_EXCEEDED, ErrorCode.SESSION_LIMIT_EXCEEDED),
        ),
        parameters=(Parameter(name="Last-Event-ID", about="go on after this event", location="header"),),
        streaming=True,
    ),
]

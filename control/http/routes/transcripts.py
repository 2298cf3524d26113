"""``/v1/sessions/{id}/transcript``: what has been said in a session so far, as its caller heard it."""

from __future__ import annotations

from aiohttp import web

from control.http.routes.sessions import answer, session_of
from control.http.routing import Route
from control.records.keep import log_of
from control.records.transcript import transcript
from control.services import SERVICES
from voicebackend.errors import ErrorCode
from voicebackend.session import is_over
from voicebackend.transcripts import TranscriptView


async def get(request: web.Request) -> web.Response:
    """Return what was said; for an hour after the end, and longer where the record is kept."""
    services, record = request.app[SERVICES], await session_of(request)
    log = await log_of(services.state, services.keys, record.id)
    view = TranscriptView(session=record.id, complete=is_over(record.state), **transcript(record, log))
    return answer(view, headers={"Cache-Control": "no-store"})


ROUTES = [
    Route(
        method="GET",
        path="/v1/sessions/{session_id}/transcript",
        operation="sessions.transcript",
        handler=get,
        about="What has been said so far, as the caller heard it; until an hour after the session's end",
        answers={200: TranscriptView},
        errors=(ErrorCode.SESSION_NOT_FOUND, ErrorCode.CONNECTION_FAILED),
    ),
]

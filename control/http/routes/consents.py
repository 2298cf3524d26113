"""``/v1/sessions/{id}/consent``: the caller agrees that something is kept, or does not any more."""

from __future__ import annotations

from aiohttp import web

from control.http.bodies import read_model
from control.http.doer import doer
from control.http.routes.sessions import answer, session_of
from control.http.routing import Route
from control.services import PRINCIPAL, SERVICES
from control.sessions.consents import Consents
from voicebackend.consent import ConsentView, ConsentWord, given
from voicebackend.errors import ErrorCode


async def say(request: web.Request) -> web.Response:
    """Take a consent, or a withdrawal, and say how it stands now."""
    services = request.app[SERVICES]
    word = await read_model(request, ConsentWord, op="consent")
    record = await session_of(request)
    keeps, remembers = services.cabinet is not None, services.live.current.memory is not None
    consents = Consents(services.state, services.keys, services.publisher, keeps=keeps, remembers=remembers)
    record = await consents.say(record.id, word, by=doer(services, request[PRINCIPAL]))
    return answer(ConsentView(classes=given(record.consent)))


_E = ErrorCode
ROUTES = [
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/consent",
        operation="sessions.consent",
        handler=say,
        about="Say that the caller agrees that data of these classes is kept from now on, or, also after the end, "
        "that they agree no more: then what was kept of it is deleted",
        body=ConsentWord,
        answers={200: ConsentView},
        errors=(
            *(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.SESSION_NOT_ACTIVE),
            *(_E.SESSION_LIMIT_EXCEEDED, _E.CONNECTION_FAILED),
        ),
    ),
]

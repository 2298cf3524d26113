"""``/v1/sessions/{id}/swap``, ``/text`` and ``/say``: what is done to a session that runs, by its worker."""

from __future__ import annotations

import time

from aiohttp import web

from control.http.announcing import announce
from control.http.bodies import read_model
from control.http.routes.sessions import answer, session_of
from control.http.routing import Route
from control.http.schemas import TypedText, Words
from control.http.swapping import swap_session
from control.services import SERVICES
from voicebackend.errors import ErrorCode, SessionNotActive
from voicebackend.events import Swapped
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Frame, Kind
from voicebackend.swap import SwapRequest

_RUNNING = {SessionState.READY, SessionState.ACTIVE}


async def swap(request: web.Request) -> web.Response:
    """Have a session go on with another provider or other engines; answer with what came of it."""
    wanted = await read_model(request, SwapRequest, op="swap")
    record = await _running(request, "swap")
    return answer(await swap_session(request.app[SERVICES], record, wanted))


async def text(request: web.Request) -> web.Response:
    """Take what the caller typed, as a turn of theirs."""
    typed = await read_model(request, TypedText, op="text")
    record, services = await _running(request, "text"), request.app[SERVICES]
    now = round(time.time() * 1000)
    frame = Frame(session=record.id, kind=Kind.TEXT, payload=typed.text.encode("utf-8", "replace"), time_ms=now)
    services.sender.send(services.keys.lane(record.lane), frame)
    return web.Response(status=202)


async def say(request: web.Request) -> web.Response:
    """Have the agent's voice say something to the caller."""
    words = await read_model(request, Words, op="say")
    record, services = await _running(request, "say"), request.app[SERVICES]
    announce(services, record, words.text, end="closed" if words.then_end else "")
    return web.Response(status=202)


async def _running(request: web.Request, op: str) -> SessionRecord:
    record = await session_of(request)
    if record.state not in _RUNNING:
        raise SessionNotActive(op, f"the session is {record.state}", details={"state": str(record.state)})
    return record


_ERRORS = (
    *(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT),
    *(ErrorCode.SESSION_NOT_FOUND, ErrorCode.SESSION_NOT_ACTIVE),
)
ROUTES = [
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/swap",
        operation="sessions.swap",
        handler=swap,
        about="Go on with another provider or other engines; `swapped` false with an `error` if all stays as it was",
        body=SwapRequest,
        answers={200: Swapped},
        errors=(*_ERRORS, ErrorCode.TIMEOUT),
    ),
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/text",
        operation="sessions.text",
        handler=text,
        about="Take what the caller typed as a turn of theirs, at most 4,000 characters; it interrupts like speech",
        body=TypedText,
        answers={202: None},
        errors=_ERRORS,
    ),
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/say",
        operation="sessions.say",
        handler=say,
        about="Have the agent's voice say something, at most 4,000 characters, in the place of what it is saying",
        body=Words,
        answers={202: None},
        errors=_ERRORS,
    ),
]

"""``/v1/sessions``: create, list, read, change and close sessions, and give out tokens for their callers."""

from __future__ import annotations

import re

from aiohttp import web
from pydantic import BaseModel

from control.access.auth import authorize
from control.access.scopes import scope_of
from control.access.tokens import TOKEN_S
from control.http.bodies import read_model, whole_number
from control.http.creation import create_session, wait_for_ready
from control.http.routing import Parameter, Route
from control.http.schemas import SessionPage, SessionUpdate, TokenIssued
from control.services import PRINCIPAL, SERVICES, Services
from control.sessions.admission import check_metadata
from control.sessions.joining import JOIN_S, with_join
from control.sessions.store import MAX_PAGE
from voicebackend.errors import AuthorizationFailed, ErrorCode, SessionNotActive
from voicebackend.record import SessionRecord
from voicebackend.session import SessionCreated, SessionRequest, SessionView, Transport, is_over
from voicebackend.tasks import SESSIONS_CLOSE
from voicebackend.tracing import note

MAX_WAIT_S = 10
"""Seconds that ``Prefer: wait`` waits at most."""
_ISSUE = "sessions.token"
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_LIMIT_WAIT = re.compile(r"(?:^|[,;\s])rate-limit=wait(?:$|[,;\s])")


def answer(model: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a model as JSON; absent fields stay in as null."""
    return web.Response(text=model.model_dump_json(), content_type="application/json", status=status, headers=headers)


async def session_of(request: web.Request) -> SessionRecord:
    """Return the record of the session in the path; raises SessionNotFound if it is not the sender's tenant's."""
    record = await request.app[SERVICES].store.get(request.match_info["session_id"], request[PRINCIPAL].tenant)
    note(**record.whose)
    return record


async def create(request: web.Request) -> web.Response:
    """Create a session; ``Prefer: wait=2`` answers when it is ready, ``rate-limit=wait`` waits for the limiter too."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_model(request, SessionRequest, op="create_session")
    prefer = request.headers.get("Prefer", "")
    wait = _WAIT.search(prefer)
    seconds = min(int(wait[1]), MAX_WAIT_S) if wait else 0
    limit_wait_s = seconds if _LIMIT_WAIT.search(prefer) else 0
    record = await create_session(services, principal, wanted, limit_wait_s=limit_wait_s)
    headers = {"Location": f"/v1/sessions/{record.id}"}
    if wait:
        record = await wait_for_ready(services, record, seconds)
        headers["Preference-Applied"] = f"wait={seconds}"
    elif record.transport is Transport.WEBRTC and not record.is_queued:
        record = await wait_for_ready(services, record, JOIN_S)  # its caller cannot come before the room is open
    issued, view = _issue(services, record), await with_join(services.state, services.keys, record)
    created = SessionCreated(**view.model_dump(), **issued.model_dump())
    return answer(created, status=201, headers=headers)


def _issue(services: Services, record: SessionRecord) -> TokenIssued:
    return TokenIssued(
        token=services.tokens.issue(record.id, record.tenant),
        token_expires_in=TOKEN_S,
        connect_url=services.media_url(record.id),
    )


async def list_(request: web.Request) -> web.Response:
    """List the tenant's sessions, newest first."""
    limit = whole_number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
    tenant, cursor = request[PRINCIPAL].tenant, request.query.get("cursor", "")
    page = await request.app[SERVICES].store.page(tenant, limit=limit, cursor=cursor)
    return answer(SessionPage(sessions=[record.view() for record in page.sessions], cursor=page.cursor or None))


async def get(request: web.Request) -> web.Response:
    """Return a session; one by WebRTC with a token for its room, to who may give callers tokens."""
    services, record = request.app[SERVICES], await session_of(request)
    if record.transport is not Transport.WEBRTC or not await _may_let_in(request):
        return answer(record.view())
    return answer(await with_join(services.state, services.keys, record))


async def _may_let_in(request: web.Request) -> bool:
    """Tell whether the sender could ask for a caller's token too: to read sessions is not to join them."""
    hook = request.app[SERVICES].hooks.find("auth_hook")
    try:
        await authorize(request[PRINCIPAL], _ISSUE, scope_of(_ISSUE, "POST"), hook)
    except AuthorizationFailed:
        return False
    return True


async def update(request: web.Request) -> web.Response:
    """Change a running session's metadata, its agent, or both."""
    changes = await read_model(request, SessionUpdate, op="update_session")
    if changes.metadata is not None:
        check_metadata(changes.metadata)
    record, store = await session_of(request), request.app[SERVICES].store
    if changes.metadata is not None:
        record = await store.set_metadata(record.id, record.tenant, changes.metadata)
    if changes.agent is not None:
        record = await store.set_agent(record.id, record.tenant, changes.agent)
    return answer(record.view())


async def close(request: web.Request) -> web.Response:
    """Have a session ended; one that is over already is fine."""
    record = await session_of(request)
    if is_over(record.state):
        return web.Response(status=204)
    await request.app[SERVICES].publisher.publish(SESSIONS_CLOSE, session_id=record.id, reason="closed")
    return answer(record.view(), status=202)


async def token(request: web.Request) -> web.Response:
    """Give out a fresh token for a session's caller."""
    record = await session_of(request)
    if is_over(record.state):
        raise SessionNotActive("issue_token", f"the session is {record.state}", details={"state": str(record.state)})
    return answer(_issue(request.app[SERVICES], record), status=201)


PAGED = (
    Parameter(name="limit", about="1 to 100", type="integer"),
    Parameter(name="cursor", about="from the page before"),
)
"""The parameters of a list that comes in pages."""
_E = ErrorCode
_CREATE_ERRORS = (
    *(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.PROVIDER_NOT_FOUND, _E.RATE_LIMIT_EXCEEDED),
    *(_E.SESSION_LIMIT_EXCEEDED, _E.CONNECTION_FAILED, _E.SESSION_NOT_ACTIVE),
)
_PREFER = "`wait=N`: answer when ready, N to 10 s; with `rate-limit=wait`, wait that long for the rate limiter too"
ROUTES = [
    Route(
        method="POST",
        path="/v1/sessions",
        operation="sessions.create",
        handler=create,
        about="Create a session",
        body=SessionRequest,
        answers={201: SessionCreated},
        errors=_CREATE_ERRORS,
        parameters=(Parameter(name="Prefer", about=_PREFER, location="header"),),
    ),
    Route(
        method="GET",
        path="/v1/sessions",
        operation="sessions.list",
        handler=list_,
        about="List sessions, newest first",
        answers={200: SessionPage},
        errors=(_E.INVALID_CONFIG,),
        parameters=PAGED,
    ),
    Route(
        method="GET",
        path="/v1/sessions/{session_id}",
        operation="sessions.get",
        handler=get,
        about="Read a session",
        answers={200: SessionView},
        errors=(_E.SESSION_NOT_FOUND,),
    ),
    Route(
        method="PATCH",
        path="/v1/sessions/{session_id}",
        operation="sessions.update",
        handler=update,
        about="Change a running session's metadata or agent",
        body=SessionUpdate,
        answers={200: SessionView},
        errors=(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.SESSION_NOT_FOUND, _E.SESSION_NOT_ACTIVE),
    ),
    Route(
        method="DELETE",
        path="/v1/sessions/{session_id}",
        operation="sessions.close",
        handler=close,
        about="End a session: 202 while it runs, 204 when it is over",
        answers={202: SessionView, 204: None},
        errors=(_E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/token",
        operation=_ISSUE,
        handler=token,
        about="Give out a fresh single-use token for the caller's websocket",
        answers={201: TokenIssued},
        errors=(_E.SESSION_NOT_FOUND, _E.SESSION_NOT_ACTIVE),
    ),
]

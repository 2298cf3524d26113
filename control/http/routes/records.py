"""``/v1/sessions/{id}/records`` and ``/v1/records/{id}``: what a session left, and its content."""

from __future__ import annotations

from aiohttp import web

from control.http.doer import doer
from control.http.record_answer import ANSWERS, ID, cabinet_of, record_answer, stored
from control.http.routes.sessions import answer
from control.http.routing import Parameter, Route
from control.records.audit import Action
from control.records.entry import Entry, EntryState
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import ErrorCode, SessionNotFound
from voicebackend.retention import RecordList, RecordView


async def of_session(request: web.Request) -> web.Response:
    """List a session's objects; the session itself may be long gone."""
    cabinet, tenant, session = cabinet_of(request), request[PRINCIPAL].tenant, request.match_info["session_id"]
    found: list[Entry] = []
    if ID.fullmatch(session):
        async for ids in cabinet.index.of_session(session):
            found += await cabinet.index.many(ids)
    mine = [entry for entry in found if entry.tenant == tenant and entry.state is EntryState.STORED]
    if not mine:
        raise SessionNotFound("records", "no records of such a session")
    return answer(RecordList(records=sorted((_view(entry) for entry in mine), key=lambda view: view.name)))


async def content(request: web.Request) -> web.Response:
    """Return an object's bytes, or a range of them."""
    cabinet, principal = cabinet_of(request), request[PRINCIPAL]
    entry = await stored(cabinet, request.match_info["record_id"], principal.tenant)
    if entry is not None:
        by = doer(request.app[SERVICES], principal)
        await cabinet.audit.note(principal.tenant, by=by, action=Action.RECORD_READ, about=entry.id)
    found = await record_answer(request, cabinet, entry) if entry else None
    if found is None:
        raise SessionNotFound("records", "there is no such record")
    return found


def _view(entry: Entry) -> RecordView:
    return RecordView(
        id=entry.id,
        session=entry.session,
        data_class=entry.data_class,
        name=entry.path.rpartition("/")[2],
        size=entry.size,
        sha256=entry.sha256,
        policy=entry.policy,
        due=entry.due,
    )


ROUTES = [
    Route(
        method="GET",
        path="/v1/sessions/{session_id}/records",
        operation="records.list",
        handler=of_session,
        about="List what a session left: transcript, metadata and what else its policies keep",
        answers={200: RecordList},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.SESSION_NOT_FOUND),
    ),
    Route(
        method="GET",
        path="/v1/records/{record_id}",
        operation="records.read",
        handler=content,
        about="Read an object, or a range of its bytes",
        answers=ANSWERS,
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT, ErrorCode.SESSION_NOT_FOUND),
        parameters=(
            Parameter(name="Range", about="`bytes=first-last`", location="header"),
            Parameter(name="format", about="`vtt`: a transcript as WebVTT captions"),
        ),
    ),
]

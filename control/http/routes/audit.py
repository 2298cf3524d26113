"""``/v1/audit``: who read, linked, exported, held or erased what of the tenant's records."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from control.http.bodies import whole_number
from control.http.record_answer import cabinet_of
from control.http.routes.sessions import PAGED, answer
from control.http.routing import Route
from control.services import PRINCIPAL
from control.sessions.store import MAX_PAGE
from voicebackend.errors import ErrorCode
from voicebackend.retention import AuditEntry, AuditPage


async def list_(request: web.Request) -> web.Response:
    """List what was done, newest first."""
    limit = whole_number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
    tenant, cursor = request[PRINCIPAL].tenant, request.query.get("cursor", "")
    deeds, following = await cabinet_of(request).audit.page(tenant, limit=limit, cursor=cursor)
    return answer(AuditPage(entries=[AuditEntry(**asdict(deed)) for deed in deeds], cursor=following or None))


ROUTES = [
    Route(
        method="GET",
        path="/v1/audit",
        operation="audit.list",
        handler=list_,
        about="List who read, linked, exported, held or erased what, newest first",
        answers={200: AuditPage},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.CONNECTION_FAILED),
        parameters=PAGED,
    ),
]

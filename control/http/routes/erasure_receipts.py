"""``/v1/erasures/{id}/receipts``: the proof of what an erasure deleted."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from control.http.bodies import whole_number
from control.http.record_answer import cabinet_of
from control.http.routes.sessions import PAGED, answer
from control.http.routing import Route
from control.records.erasure import Erasures
from control.records.erasure_receipts import receipts_of
from control.services import PRINCIPAL, SERVICES
from control.sessions.store import MAX_PAGE
from voicebackend.errors import ErrorCode
from voicebackend.retention import ReceiptPage, ReceiptView


async def list_(request: web.Request) -> web.Response:
    """List receipts, oldest first."""
    services, tenant = request.app[SERVICES], request[PRINCIPAL].tenant
    limit = whole_number(request, "limit", default=MAX_PAGE, low=1, high=MAX_PAGE)
    erasures = Erasures(services.state, services.keys, services.store, cabinet_of(request))
    asked = await erasures.get(tenant, request.match_info["erasure_id"])
    found, following = await receipts_of(
        services.state,
        services.keys,
        tenant,
        asked.subject,
        since=asked.noted_at or asked.at,
        limit=limit,
        cursor=request.query.get("cursor", ""),
    )
    views = [ReceiptView(**asdict(receipt), hash=receipt.hash) for receipt in found]
    return answer(ReceiptPage(receipts=views, cursor=following or None))


ROUTES = [
    Route(
        method="GET",
        path="/v1/erasures/{erasure_id}/receipts",
        operation="erasures.receipts",
        handler=list_,
        about="List the receipts of what an erasure deleted, oldest first",
        answers={200: ReceiptPage},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.SESSION_NOT_FOUND, ErrorCode.CONNECTION_FAILED),
        parameters=PAGED,
    ),
]

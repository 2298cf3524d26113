"""``/v1/holds``, ``/v1/erasures``, ``/v1/exports``: what must stay, who must go. Whom it concerns is not logged."""

from __future__ import annotations

import logging
from dataclasses import asdict

from aiohttp import web

from control.http.bodies import read_model
from control.http.doer import doer
from control.http.record_answer import cabinet_of
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.sub_processors import outside
from control.records.audit import Action
from control.records.erasure import Erasures
from control.records.erasure import new_id as new_erasure_id
from control.records.erasure_requests import Erasure
from control.records.export import export
from control.records.holds import new_id as new_hold_id
from control.records.index import Fate
from control.records.live import LiveSessions
from control.records.memories import MemoryState
from control.records.names import meant
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import ErrorCode, SessionNotFound
from voicebackend.retention import (
    ErasureRequest,
    ErasureView,
    HoldList,
    HoldPlaced,
    HoldRequest,
    HoldView,
    MemoryView,
)
from voicebackend.tasks import RETENTION_ERASE

logger = logging.getLogger(__name__)


async def place(request: web.Request) -> web.Response:
    """Place a hold."""
    cabinet, principal = cabinet_of(request), request[PRINCIPAL]
    asked = await read_model(request, HoldRequest, op="holds")
    scope = "*"
    if asked.session is not None:
        scope = f"session:{asked.session}"
    elif asked.subject is not None:
        scope = f"subject:{cabinet.subjects.of(principal.tenant, meant(asked.subject, asked.region))}"
    await _note(request, Action.HOLD_PLACED, id_ := new_hold_id())
    hold, found = await cabinet.holds.place(principal.tenant, scope, reason=asked.reason, by=_by(request), id_=id_)
    placed = HoldPlaced(**asdict(hold), held=found[Fate.HELD], too_late=found[Fate.TOO_LATE])
    return answer(placed, status=201)


async def holds(request: web.Request) -> web.Response:
    """List the tenant's holds."""
    found = await cabinet_of(request).holds.all(request[PRINCIPAL].tenant)
    return answer(HoldList(holds=[HoldView(**asdict(hold)) for hold in found]))


async def lift(request: web.Request) -> web.Response:
    """Lift a hold."""
    id_, tenant, placed = request.match_info["hold_id"], request[PRINCIPAL].tenant, cabinet_of(request).holds
    if not any(hold.id == id_ for hold in await placed.all(tenant)):
        raise SessionNotFound("holds", "there is no such hold")
    await _note(request, Action.HOLD_LIFTED, id_)
    await placed.lift(tenant, id_)
    return web.Response(status=204)


async def erase(request: web.Request) -> web.Response:
    """Take a request to erase a person."""
    principal, erasures = request[PRINCIPAL], _erasures(request)
    asked = await read_model(request, ErasureRequest, op="erasures")
    whom = meant(asked.subject, asked.region)
    await _note(request, Action.ERASURE_ASKED, id_ := new_erasure_id())
    erasure = await erasures.ask(principal.tenant, whom, by=_by(request), id_=id_)
    await request.app[SERVICES].publisher.publish(RETENTION_ERASE)
    return answer(await _view(request, erasure), status=202)


async def erasure(request: web.Request) -> web.Response:
    """Say how far an erasure has come."""
    found = await _erasures(request).get(request[PRINCIPAL].tenant, request.match_info["erasure_id"])
    return answer(await _view(request, found))


async def export_person(request: web.Request) -> web.StreamResponse:
    """Send a person's data as a zip."""
    cabinet, principal = cabinet_of(request), request[PRINCIPAL]
    asked = await read_model(request, ErasureRequest, op="exports")
    whom = meant(asked.subject, asked.region)
    await _note(request, Action.DATA_EXPORTED, f"subject-{cabinet.subjects.of(principal.tenant, whom)}")
    services = request.app[SERVICES]
    live = LiveSessions(services.state, services.keys, services.store)
    archive = await export(cabinet, principal.tenant, whom, live)
    return web.Response(body=archive, content_type="application/zip", headers={"Cache-Control": "no-store"})


async def _note(request: web.Request, action: Action, about: str) -> None:
    """Have it in the audit, and in the log, before it is done: where it cannot be noted, it is not done."""
    tenant, by = request[PRINCIPAL].tenant, _by(request)
    await cabinet_of(request).audit.note(tenant, by=by, action=action, about=about)
    logger.info("records dealt with", extra={"action": action.value, "about": about, "tenant": tenant, "by": by})


def _by(request: web.Request) -> str:
    """Return who asks, as it may be kept."""
    return doer(request.app[SERVICES], request[PRINCIPAL])


def _erasures(request: web.Request) -> Erasures:
    services = request.app[SERVICES]
    return Erasures(services.state, services.keys, services.store, cabinet_of(request))


async def _view(request: web.Request, erasure: Erasure) -> ErasureView:
    """Return an erasure with those whom it has to be passed on to."""
    told = {name: value for name, value in asdict(erasure).items() if name in ErasureView.model_fields}
    told["memory"] = await _memory(request, erasure)
    found = await _erasures(request).sub_processors.of(erasure.id)
    return ErasureView(**told, sub_processors=await outside(request.app[SERVICES], found))


async def _memory(request: web.Request, erasure: Erasure) -> MemoryView:
    """Return what has come of the person's memory, and what is to be done by hand."""
    if erasure.memory is not MemoryState.NOT_REACHED:
        return MemoryView(state=erasure.memory)
    ask = "the memory cannot forget: delete in its own store what it has under these keys"
    return MemoryView(state=erasure.memory, keys=await _erasures(request).memories.left(erasure.id), ask=ask)


ROUTES = [
    Route(
        method="POST",
        path="/v1/holds",
        operation="holds.place",
        handler=place,
        about="Keep a session's, a person's or all objects until the hold is lifted",
        body=HoldRequest,
        answers={201: HoldPlaced},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT),
    ),
    Route(
        method="GET",
        path="/v1/holds",
        operation="holds.list",
        handler=holds,
        about="List holds",
        answers={200: HoldList},
        errors=(ErrorCode.INVALID_CONFIG,),
    ),
    Route(
        method="DELETE",
        path="/v1/holds/{hold_id}",
        operation="holds.lift",
        handler=lift,
        about="Lift a hold: what no other covers is deleted when it is due",
        answers={204: None},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.SESSION_NOT_FOUND),
    ),
    Route(
        method="POST",
        path="/v1/erasures",
        operation="erasures.ask",
        handler=erase,
        about="Erase everything about a person, by user id or number",
        body=ErasureRequest,
        answers={202: ErasureView},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT, ErrorCode.CONNECTION_FAILED),
    ),
    Route(
        method="POST",
        path="/v1/exports",
        operation="exports.make",
        handler=export_person,
        about="A zip of everything that is kept about a person, by user id or number",
        body=ErasureRequest,
        answers={200: "application/zip"},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT, ErrorCode.SESSION_LIMIT_EXCEEDED),
    ),
    Route(
        method="GET",
        path="/v1/erasures/{erasure_id}",
        operation="erasures.get",
        handler=erasure,
        about="Ask how far an erasure has come",
        answers={200: ErasureView},
        errors=(ErrorCode.INVALID_CONFIG, ErrorCode.SESSION_NOT_FOUND),
    ),
]

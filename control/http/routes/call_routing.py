"""``/v1/telephony/routes``, ``/explain``, ``/calls/{id}``, ``/report``: where calls go, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from control.http.bodies import read_model
from control.http.call_schemas import DayReport, ExplainCall, Explained, KnownCallView, RoutesView, TargetView, is_day
from control.http.routes.sessions import answer
from control.http.routing import Parameter, Route
from control.services import PRINCIPAL, SERVICES, Services
from control.telephony.call_counts import day_of
from control.telephony.call_desk import CallDesk
from control.telephony.health.states import TargetHealth
from control.telephony.routing.decision import Call
from control.telephony.routing.table import Target
from voicebackend.errors import ErrorCode, InvalidConfig, SessionNotFound


async def explain(request: web.Request) -> web.Response:
    """Say where a call would go now, and why."""
    desk = _desk(request.app[SERVICES])
    asked = await read_model(request, ExplainCall, op="explain_call")
    call = Call(
        id=asked.call_id,
        called=asked.called,
        caller=asked.caller,
        tenant=asked.tenant,
        trunk=asked.trunk or "",
        headers={name.lower(): value for name, value in asked.headers.items()},
    )
    routes, when = desk.board.current.routes, asked.at or datetime.now(UTC)
    decision = routes.decide(call, when=when, dead=desk.health.dead(), explain=True)
    route = next((route for route in routes.table.routes if route.id == decision.route), None)
    names = {share.target for tier in route.use for share in tier.to} if route else set()
    targets = _targets(desk, {name: routes.table.targets[name] for name in sorted(names)})
    return answer(Explained(**decision.to_dict(), targets=targets))


async def show(request: web.Request) -> web.Response:
    """Return which table holds, and how its targets are doing."""
    services = request.app[SERVICES]
    desk = _desk(services)
    board = desk.board.current
    return answer(
        RoutesView(
            version=board.routes.version,
            problem=desk.board.problem,
            versions=sorted({board.routes.version, *await desk.versions()}),
            routes=len(board.routes.table.routes),
            trunks=sorted(board.lines),
            targets=_targets(desk, board.routes.table.targets),
        )
    )


async def known(request: web.Request) -> web.Response:
    """Return what is known of a call of the tenant's."""
    desk = _desk(request.app[SERVICES])
    found = await desk.known.find(request[PRINCIPAL].tenant, request.match_info["call_id"])
    if "outcome" not in found:
        raise SessionNotFound("known_call", "no such call within the last day")
    return answer(KnownCallView(**found))


async def report(request: web.Request) -> web.Response:
    """Return the tenant's calls of a day; of one that is not over, so far."""
    desk = _desk(request.app[SERVICES])
    day = request.query.get("day", day_of(time.time()))
    if not is_day(day):
        raise InvalidConfig("call_report", "day: a date, as 2026-11-23", details={"field": "day"})
    return answer(DayReport(**await desk.daily.report(request[PRINCIPAL].tenant, day)))


def _desk(services: Services) -> CallDesk:
    if services.desk is None:
        message = "no telephone calls are taken here: set VOICEBACKEND_TELEPHONY"
        raise InvalidConfig("telephony", message, details={"field": "VOICEBACKEND_TELEPHONY"})
    return services.desk


def _targets(desk: CallDesk, targets: Mapping[str, Target]) -> dict[str, TargetView]:
    now, healthy = time.time(), TargetHealth()
    return {
        name: TargetView.of(target, desk.health.targets.get(name, healthy), now) for name, target in targets.items()
    }


_ERRORS = (ErrorCode.INVALID_CONFIG, ErrorCode.CONNECTION_FAILED)
ROUTES = [
    Route(
        method="POST",
        path="/v1/telephony/explain",
        operation="routing.explain",
        handler=explain,
        about="Say where a call would go now, and why; for operators",
        body=ExplainCall,
        answers={200: Explained},
        errors=(*_ERRORS, ErrorCode.INVALID_FORMAT),
    ),
    Route(
        method="GET",
        path="/v1/telephony/routes",
        operation="routing.show",
        handler=show,
        about="The version of the routing table that holds, and how its targets are doing; for operators",
        answers={200: RoutesView},
        errors=_ERRORS,
    ),
    Route(
        method="GET",
        path="/v1/telephony/calls/{call_id}",
        operation="telephony.known",
        handler=known,
        about="What is known of a call of the last day, by the carrier's id",
        answers={200: KnownCallView},
        errors=(*_ERRORS, ErrorCode.SESSION_NOT_FOUND),
    ),
    Route(
        method="GET",
        path="/v1/telephony/report",
        operation="telephony.report",
        handler=report,
        about="The calls of a day: by trunk, route, target and outcome, refusals, minutes, time to set up",
        answers={200: DayReport},
        errors=_ERRORS,
        parameters=(Parameter(name="day", about="UTC, as 2026-11-23; today if absent"),),
    ),
]

"""``/healthz``: the process answers. ``/readyz``: sessions can be had. ``/openapi.json``: this API, described."""

from __future__ import annotations

import math

from aiohttp import web

from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.schemas import Liveness, Readiness
from control.services import SERVICES
from control.sessions.admission import free_slots
from control.sessions.workers import WorkerInfo, announced_workers
from control.telephony.call_desk import CallDesk
from voicebackend.errors import VoiceBackendError
from voicebackend.session import Health

DEGRADED_FROM = 0.9
"""Share of all slots in use from which health is degraded."""
OPENAPI = web.AppKey("openapi", str)
"""The description as JSON."""


def readiness(workers: list[WorkerInfo] | None, *, sockets: int, desk: CallDesk | None = None) -> Readiness:
    """Judge the health of a deployment by what its workers announce; None when Redis does not answer."""
    taking = [worker for worker in workers or () if worker.takes_sessions]
    total = sum(math.inf if worker.unlimited else worker.slots_total for worker in taking)
    free = free_slots(taking)
    is_full = free is not None and total - free >= DEGRADED_FROM * total
    is_silent = desk is not None and desk.sip_answers is False
    status = Health.HEALTHY
    if not taking:
        status = Health.UNHEALTHY
    elif is_full or is_silent:
        status = Health.DEGRADED
    return Readiness(
        status=status,
        redis=workers is not None,
        workers=len(taking),
        slots_total=None if math.isinf(total) else int(total),
        slots_free=free,
        sockets=sockets,
        telephony=None if desk is None else "stale" if desk.board.problem else "current",
        sip=None if desk is None or desk.sip_answers is None else "answers" if desk.sip_answers else "silent",
    )


async def live(request: web.Request) -> web.Response:
    """Say that the process answers."""
    del request
    return answer(Liveness())


async def ready(request: web.Request) -> web.Response:
    """Say whether sessions can be had: 503 if not."""
    services = request.app[SERVICES]
    try:
        workers = await announced_workers(services.state, services.keys)
    except VoiceBackendError:
        workers = None
    found = readiness(workers, sockets=len(services.gateway), desk=services.desk)
    return answer(found, status=503 if found.status is Health.UNHEALTHY else 200)


async def openapi(request: web.Request) -> web.Response:
    """Return the API's description."""
    return web.Response(text=request.app[OPENAPI], content_type="application/json")


ROUTES = [
    Route(
        method="GET",
        path="/healthz",
        operation="health.live",
        handler=live,
        about="The process answers",
        answers={200: Liveness},
        public=True,
        polled=True,
    ),
    Route(
        method="GET",
        path="/readyz",
        operation="health.ready",
        handler=ready,
        about="Sessions can be had; 503 if not",
        answers={200: Readiness, 503: Readiness},
        public=True,
        polled=True,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        operation="openapi",
        handler=openapi,
        about="This description",
        answers={200: "application/json"},
        public=True,
    ),
]

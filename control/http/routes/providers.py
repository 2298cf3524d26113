"""``/v1/providers``: what the running workers could run, and how that is doing."""

from __future__ import annotations

from aiohttp import web

from control.http.listing import listed
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.schemas import ProviderList
from control.services import SERVICES
from control.sessions.catalogues import read_catalogues
from control.sessions.workers import announced_workers
from voicebackend.errors import ErrorCode


async def providers(request: web.Request) -> web.Response:
    """List every provider and engine that a worker could run."""
    services = request.app[SERVICES]
    workers = await announced_workers(services.state, services.keys)
    catalogues = await read_catalogues(services.state, services.keys, workers)
    return answer(listed(workers, catalogues))


ROUTES = [
    Route(
        method="GET",
        path="/v1/providers",
        operation="providers.list",
        handler=providers,
        about="List providers and engines with capabilities, settings and health",
        answers={200: ProviderList},
        errors=(ErrorCode.CONNECTION_FAILED,),
    ),
]

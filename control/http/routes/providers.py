"""``/v1/providers``: what the running workers can do, as they announce it."""

from __future__ import annotations

from aiohttp import web

from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.schemas import ProviderList, ProviderView
from control.services import SERVICES
from control.sessions.admission import free_slots
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend.errors import ErrorCode


async def providers(request: web.Request) -> web.Response:
    """List every provider that a worker announces."""
    services = request.app[SERVICES]
    workers = await announced_workers(services.state, services.keys)
    names = sorted({name for worker in workers for name in worker.providers})
    return answer(ProviderList(providers=[_view(name, workers) for name in names]))


def _view(name: str, workers: list[WorkerInfo]) -> ProviderView:
    having = [worker for worker in workers if name in worker.providers]
    offer = having[0].providers[name]
    return ProviderView(
        name=name,
        capabilities=offer.get("capabilities", {}),
        config_schema=offer.get("config_schema", {}),
        workers=sum(worker.takes_sessions for worker in having),
        slots_free=free_slots(having),
    )


ROUTES = [
    Route(
        method="GET",
        path="/v1/providers",
        operation="providers.list",
        handler=providers,
        about="List providers with their capabilities",
        answers={200: ProviderList},
        errors=(ErrorCode.CONNECTION_FAILED,),
    ),
]

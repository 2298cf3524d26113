"""``/v1/workers`` and ``/v1/queues``: who carries the sessions, and what waits; for operators."""

from __future__ import annotations

from aiohttp import web

from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.worker_schemas import QueueList, QueueView, WorkerList, WorkerView
from control.services import SERVICES
from control.sessions.workers import relieve_worker
from control.waiting_tasks import waiting_tasks
from voicebackend._redis import redis_errors
from voicebackend.errors import ErrorCode, SessionNotFound


async def list_(request: web.Request) -> web.Response:
    """Return the workers that are there."""
    found = sorted(await request.app[SERVICES].workers.now(), key=lambda worker: worker.id)
    return answer(WorkerList(workers=[WorkerView.of(worker) for worker in found]))


async def drain(request: web.Request) -> web.Response:
    """Have a worker hand its sessions over, and end; under a supervisor a fresh one takes its place first."""
    services, wanted = request.app[SERVICES], request.match_info["worker_id"]
    found = next((worker for worker in await services.workers.now() if worker.id == wanted), None)
    if found is None:
        raise SessionNotFound("drain_worker", "there is no such worker now", details={"worker": wanted[:128]})
    await relieve_worker(services.state, services.keys, found.id)
    return answer(WorkerView.of(found), status=202)


async def queues(request: web.Request) -> web.Response:
    """Return how many tasks wait in each of Celery's queues."""
    services = request.app[SERVICES]
    waiting = await waiting_tasks(services.deployment)
    with redis_errors("queues"):
        given_up = await services.state.xlen(services.keys.dead_letters())
    found = [QueueView(name=queue.value, waiting=length) for queue, length in waiting.items()]
    return answer(QueueList(queues=found, dead_letters=given_up))


_ERRORS = (ErrorCode.CONNECTION_FAILED, ErrorCode.CONNECTION_TIMEOUT)
ROUTES = [
    Route(
        method="GET",
        path="/v1/workers",
        operation="workers.list",
        handler=list_,
        about="The streaming workers that are there, with their slots and lanes; for operators",
        answers={200: WorkerList},
        errors=_ERRORS,
    ),
    Route(
        method="POST",
        path="/v1/workers/{worker_id}/drain",
        operation="workers.drain",
        handler=drain,
        about="Have a worker hand its sessions over and end, without losing a call; for operators",
        answers={202: WorkerView},
        errors=(*_ERRORS, ErrorCode.SESSION_NOT_FOUND),
    ),
    Route(
        method="GET",
        path="/v1/queues",
        operation="queues.list",
        handler=queues,
        about="Tasks that wait in each of Celery's queues, and those given up; for operators",
        answers={200: QueueList},
        errors=_ERRORS,
    ),
]

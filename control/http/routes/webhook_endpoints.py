"""``/v1/webhooks``: where a tenant is told of what happens in its sessions, and what could not be told."""

from __future__ import annotations

from aiohttp import web

from control.http.bodies import read_model
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.outbox.deliveries import Deliveries
from control.outbox.endpoints import Endpoints
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import ErrorCode
from voicebackend.webhook_endpoints import EndpointIssued, EndpointList, EndpointRequest, UndeliveredList

_OP = "webhooks"
_UNSEEN = {"Cache-Control": "no-store"}
"""For an answer with a secret: nobody on its way may keep it."""


async def add(request: web.Request) -> web.Response:
    """Add an endpoint; its secret is in this answer and in no other."""
    wanted = await read_model(request, EndpointRequest, op=_OP)
    made, secret = await _endpoints(request).add(request[PRINCIPAL].tenant, wanted.url, wanted.events)
    return answer(EndpointIssued(**made.view().model_dump(), secret=secret), status=201, headers=_UNSEEN)


async def list_(request: web.Request) -> web.Response:
    """List the tenant's endpoints."""
    found = await _endpoints(request).all(request[PRINCIPAL].tenant)
    return answer(EndpointList(webhooks=[endpoint.view() for endpoint in found]))


async def remove(request: web.Request) -> web.Response:
    """Remove an endpoint."""
    await _endpoints(request).remove(request[PRINCIPAL].tenant, request.match_info["webhook_id"])
    return web.Response(status=204)


async def rotate(request: web.Request) -> web.Response:
    """Give an endpoint a new secret, shown in this answer only."""
    made, secret = await _endpoints(request).rotate(request[PRINCIPAL].tenant, request.match_info["webhook_id"])
    return answer(EndpointIssued(**made.view().model_dump(), secret=secret), headers=_UNSEEN)


async def undelivered(request: web.Request) -> web.Response:
    """List deliveries that were given up."""
    found = await _deliveries(request).undelivered(request[PRINCIPAL].tenant)
    return answer(UndeliveredList(deliveries=[delivery.view() for delivery in found]))


async def again(request: web.Request) -> web.Response:
    """Have a delivery tried again that was given up."""
    delivery_id = request.match_info["delivery_id"]
    if await _deliveries(request).again(request[PRINCIPAL].tenant, delivery_id):
        await request.app[SERVICES].outbox.deliver(delivery_id)
    return web.Response(status=202)


def _endpoints(request: web.Request) -> Endpoints:
    services = request.app[SERVICES]
    return Endpoints(services.state, services.deployment)


def _deliveries(request: web.Request) -> Deliveries:
    services = request.app[SERVICES]
    return Deliveries(services.state, services.keys)


_E = ErrorCode
ROUTES = [
    Route(
        method="POST",
        path="/v1/webhooks",
        operation="webhooks.add",
        handler=add,
        about="Be told of what happens in sessions, by signed POST requests; the secret is shown this once",
        body=EndpointRequest,
        answers={201: EndpointIssued},
        errors=(_E.INVALID_CONFIG, _E.INVALID_FORMAT, _E.CONNECTION_FAILED),
    ),
    Route(
        method="GET",
        path="/v1/webhooks",
        operation="webhooks.list",
        handler=list_,
        about="List where the tenant is told",
        answers={200: EndpointList},
        errors=(_E.CONNECTION_FAILED,),
    ),
    Route(
        method="DELETE",
        path="/v1/webhooks/{webhook_id}",
        operation="webhooks.remove",
        handler=remove,
        about="Be told there no more; what is on its way is given up",
        answers={204: None},
        errors=(_E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{webhook_id}/secret",
        operation="webhooks.rotate",
        handler=rotate,
        about="A new secret, shown this once; the one before it signs too for a day",
        answers={200: EndpointIssued},
        errors=(_E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
    Route(
        method="GET",
        path="/v1/webhooks/undelivered",
        operation="webhooks.undelivered",
        handler=undelivered,
        about="List the last 100 deliveries that were given up within 30 days",
        answers={200: UndeliveredList},
        errors=(_E.CONNECTION_FAILED,),
    ),
    Route(
        method="POST",
        path="/v1/webhooks/undelivered/{delivery_id}",
        operation="webhooks.again",
        handler=again,
        about="Have a delivery tried again that was given up, for another day",
        answers={202: None},
        errors=(_E.SESSION_NOT_FOUND, _E.CONNECTION_FAILED),
    ),
]

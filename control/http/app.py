"""The aiohttp application: routes and middlewares around the services that one process shares."""

from __future__ import annotations

import json

from aiohttp import web

from control.http.connection import noted
from control.http.middlewares import access, problems, telemetry
from control.http.openapi import describe
from control.http.routes import (
    audio,
    audit,
    call_routing,
    call_webhooks,
    calls,
    config,
    consents,
    console,
    do_not_call,
    erasure_receipts,
    events,
    handover,
    health,
    keys,
    levels,
    links,
    live,
    media,
    outbound_calls,
    providers,
    records,
    retention,
    retention_state,
    sessions,
    streams,
    telephony,
    transcripts,
    webhook_endpoints,
    webhooks,
    workers,
)
from control.http.routes.health import OPENAPI
from control.http.routing import ROUTES, Route
from control.services import SERVICES, Services

ALL_ROUTES = [
    *sessions.ROUTES,
    *media.ROUTES,
    *events.ROUTES,
    *levels.ROUTES,
    *audio.ROUTES,
    *live.ROUTES,
    *providers.ROUTES,
    *records.ROUTES,
    *links.ROUTES,
    *retention.ROUTES,
    *erasure_receipts.ROUTES,
    *consents.ROUTES,
    *retention_state.ROUTES,
    *audit.ROUTES,
    *config.ROUTES,
    *telephony.ROUTES,
    *call_routing.ROUTES,
    *streams.ROUTES,
    *webhooks.ROUTES,
    *webhook_endpoints.ROUTES,
    *transcripts.ROUTES,
    *calls.ROUTES,
    *outbound_calls.ROUTES,
    *do_not_call.ROUTES,
    *call_webhooks.ROUTES,
    *handover.ROUTES,
    *workers.ROUTES,
    *keys.ROUTES,
    *console.ROUTES,
    *health.ROUTES,
]
"""Everything the API answers."""


def create_app(services: Services) -> web.Application:
    """Return the application; it owns nothing of what the services hold."""
    app = web.Application(middlewares=[noted, problems, telemetry, access])
    app[SERVICES] = services
    by_handler: dict[object, Route] = {route.handler: route for route in ALL_ROUTES}
    app[ROUTES] = by_handler
    app[OPENAPI] = json.dumps(describe(ALL_ROUTES))
    for route in ALL_ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
    app.on_shutdown.append(_leave)
    return app


async def _leave(app: web.Application) -> None:
    """Let callers go before the server waits for their handlers."""
    await app[SERVICES].gateway.leave()

"""Around every handler: errors become problems, the request is traced and measured, and its sender is known."""

from __future__ import annotations

import logging
import time
from typing import Any

from aiohttp import web
from opentelemetry.trace import SpanKind

from control.access.auth import authenticate, authorize
from control.access.principal import Principal
from control.access.scopes import scope_of
from control.http.problems import http_problem, problem, unexpected
from control.http.routing import Handler, route_of
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import AuthenticationFailed, VoiceBackendError
from voicebackend.telemetry import measured
from voicebackend.tracing import attached, note, span

logger = logging.getLogger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem that carries its code."""
    try:
        return await handler(request)
    except VoiceBackendError as error:
        return problem(error, instance=request.path)
    except web.HTTPException as error:
        return http_problem(error, instance=request.path)
    except (ConnectionResetError, BrokenPipeError):
        raise  # the sender has gone; there is nobody to answer
    except Exception:
        logger.exception("request failed", extra={"path": request.path})
        return unexpected(instance=request.path)


@web.middleware
async def telemetry(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Continue the sender's trace with a span for the operation, and count it."""
    route = route_of(request)
    if route is None or route.polled:
        return await handler(request)
    around = span if route.streaming else measured
    started, provider = time.monotonic(), request.app[SERVICES].live.current.provider
    told: dict[str, Any] = {"provider": provider, "http.request.method": request.method, "http.route": route.path}
    with attached(request.headers.get("traceparent")), around(route.operation, kind=SpanKind.SERVER, **told):
        note(session_id=request.match_info.get("session_id"))
        response = await handler(request)
        note(**{"http.response.status_code": response.status})
        if not route.public:
            took = round(time.monotonic() - started, 4)
            extra = {"operation": route.operation, "status": response.status, "seconds": took}
            logger.info("request served", extra=extra)
        return response


@web.middleware
async def access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who has a key and may do this."""
    route = route_of(request)
    if route is None or route.public:
        return await handler(request)
    services, address = request.app[SERVICES], request.remote or ""
    request[PRINCIPAL] = principal = await _sender(request, route.operation)
    await services.rates.check(principal.tenant, route.operation, address)
    hook = services.hooks.find("auth_hook")
    await authorize(principal, route.operation, scope_of(route.operation, route.method), hook)
    return await handler(request)


async def _sender(request: web.Request, operation: str) -> Principal:
    """Return who asks.

    An attempt with a key that has not opened before is counted by its address before anybody is asked, so that who
    guesses is slowed down, and is forgiven if it opens. With others' guesses from their address, known keys still open.
    """
    services, header, address = request.app[SERVICES], request.headers.get("Authorization", ""), request.remote or ""
    known = services.known_keys.has(header)
    if not known:
        await services.rates.check("", operation, address)
    about = {"method": request.method, "path": request.path, "remote": address}
    try:
        principal = await authenticate(header, services.api_keys, services.hooks.find("auth_hook"), about)
    except AuthenticationFailed:
        services.known_keys.forget(header)
        raise
    if not known:
        services.known_keys.add(header)
        await services.rates.give_back("", operation, address)
    return principal

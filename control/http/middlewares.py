"""Around every handler: errors become problems, the request is traced and measured, and its sender is known."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from opentelemetry.trace import SpanKind

from control.access.auth import authenticate, authorize
from control.http.problems import http_problem, problem, unexpected
from control.http.routing import Handler, route_of
from control.services import PRINCIPAL, SERVICES
from voicebackend.errors import VoiceBackendError
from voicebackend.telemetry import attached, measured, span

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
    if route is None:
        return await handler(request)
    around = span if route.streaming else measured
    started = time.monotonic()
    with attached(request.headers.get("traceparent")), around(route.operation, kind=SpanKind.SERVER):
        response = await handler(request)
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
    services = request.app[SERVICES]
    hook = services.hooks.find("auth_hook")
    about = {"method": request.method, "path": request.path, "remote": request.remote or ""}
    header = request.headers.get("Authorization", "")
    request[PRINCIPAL] = principal = await authenticate(header, services.api_keys, hook, about)
    await authorize(principal, route.operation, hook)
    return await handler(request)

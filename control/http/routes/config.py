"""``/v1/config``: read the configuration, and change it for every running process."""

from __future__ import annotations

from aiohttp import web

from control.http.bodies import read_object
from control.http.routes.sessions import answer
from control.http.routing import Route
from control.http.schemas import ConfigView
from control.live_config import masked, plain
from control.services import SERVICES
from voicebackend.config import BackendConfig
from voicebackend.errors import ErrorCode


async def get(request: web.Request) -> web.Response:
    """Return the configuration that holds now, secrets masked."""
    live = request.app[SERVICES].live
    return answer(ConfigView(version=live.version, config=masked(plain(live.current))))


async def update(request: web.Request) -> web.Response:
    """Change the fields that are given; new sessions see it within about a second."""
    changes = await read_object(request, op="update_config")
    await request.app[SERVICES].live.update(changes)
    return await get(request)


ROUTES = [
    Route(
        method="GET",
        path="/v1/config",
        operation="config.get",
        handler=get,
        about="Read the configuration; secrets are masked",
        answers={200: ConfigView},
    ),
    Route(
        method="PUT",
        path="/v1/config",
        operation="config.update",
        handler=update,
        about="Change the configuration; what is left out stays, masked secrets too",
        body=BackendConfig,
        answers={200: ConfigView},
        errors=(
            *(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT),
            *(ErrorCode.PROVIDER_NOT_FOUND, ErrorCode.CONNECTION_FAILED),
        ),
    ),
]

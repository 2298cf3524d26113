"""What a route is: the one description from which the router, the permission checks and ``/openapi.json`` are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from voicebackend.errors import ErrorCode

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Content = type[BaseModel] | str | tuple[str, ...] | None
"""A JSON model, another media type or one of several, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or header."""

    name: str
    about: str
    type: str = "string"
    location: str = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    operation: str
    """What permission is asked for, and the span's name."""
    handler: Handler
    about: str
    answers: Mapping[int, Content]
    """What a request is answered with by status, but for errors that a code tells."""
    body: Content = None
    errors: tuple[ErrorCode, ...] = ()
    """What may go wrong beyond authentication and the inside."""
    parameters: tuple[Parameter, ...] = field(default=())
    public: bool = False
    """Needs no API key."""
    streaming: bool = False
    """Lasts as long as the caller stays: not a duration worth measuring."""
    polled: bool = False
    """Asked by machines every few seconds: neither traced nor counted."""


ROUTES = web.AppKey("routes", dict[object, Route])
"""The route of each handler."""


def route_of(request: web.Request) -> Route | None:
    """Return the route that a request matched, or None for an unknown path or method."""
    return request.app[ROUTES].get(request.match_info.handler)

"""``/console``, ``/playground`` and their files: the pages for people. What they show they ask the API for."""

from __future__ import annotations

from aiohttp import web

from control.console.pages import HEADERS, pages
from control.http.routing import Handler, Route
from voicebackend.errors import ErrorCode


async def console(_: web.Request) -> web.Response:
    """Return the console."""
    return _answer("console.html")


async def playground(_: web.Request) -> web.Response:
    """Return the playground."""
    return _answer("playground.html")


async def file(request: web.Request) -> web.Response:
    """Return what the pages load."""
    return _answer(request.match_info["file"])


async def home(_: web.Request) -> web.Response:
    """Lead to the console."""
    return web.Response(status=302, headers={"Location": "/console"})


def _answer(name: str) -> web.Response:
    page = pages().get(name)
    if page is None:
        raise web.HTTPNotFound
    answer = web.Response(body=page.body, content_type=page.content_type, charset="utf-8", headers=HEADERS)
    answer.etag = page.etag
    return answer


def _page(path: str, operation: str, handler: Handler, about: str) -> Route:
    return Route(
        method="GET",
        path=path,
        operation=operation,
        handler=handler,
        about=about,
        answers={200: "text/html"},
        public=True,
    )


ROUTES = [
    _page("/", "console.home", home, "The console"),
    _page("/console", "console", console, "Sessions, workers, queues, routing and retention, for people"),
    _page("/playground", "console.playground", playground, "Talk to an agent by the browser's microphone"),
    Route(
        method="GET",
        path="/console/{file}",
        operation="console.file",
        handler=file,
        about="What these pages load",
        answers={200: "text/html", 404: "application/problem+json"},
        errors=(ErrorCode.INVALID_CONFIG,),
        public=True,
    ),
]

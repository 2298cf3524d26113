"""A small stand-in for control: answers HTTP as told, and plays a scripted gateway to the caller's websocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from voicebackend import BackendConfig, SessionConfig
from voicebackend.events import SUBPROTOCOL, Ended, Message, Ready, Start, Stop, parse_client

SESSION = "5e551011" * 4
KEY = "a-key-of-the-double"
VIEW = {
    "id": SESSION,
    "state": "ready",
    "user_id": "u",
    "pseudonym": "5ca1ab1e0ddba115",
    "provider": "mock",
    "transport": "websocket",
    "pipeline_type": "stt_tts",
    "persistence_status": "active",
    "created_at": 1.0,
}


CONFIG = BackendConfig(provider="mock", timeout=2, max_retries=2, retry_delay=0.1)
WANTED = SessionConfig(user_id="u", transport="websocket", agent="greeter", metadata={"plan": "gold"})


class Line:
    """One websocket as the gateway has it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket, self._request = socket, request
        self.protocols = request.headers["Sec-WebSocket-Protocol"].replace(" ", "").split(",")
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.said: list[Any] = []
        """What the caller said up to ``start``."""

    async def tell(self, message: Message | bytes) -> None:
        """Send to the caller."""
        await (
            self.socket.send_bytes(message) if isinstance(message, bytes) else self.socket.send_str(message.to_json())
        )

    async def hear(self) -> Any:
        """Return the caller's next message."""
        return await asyncio.wait_for(self.messages.get(), 5)

    def cut(self) -> None:
        """Lose the connection, without a word."""
        assert self._request.transport is not None
        self._request.transport.abort()

    async def read(self) -> None:
        """Keep what comes until the socket closes; the caller's ``stop`` closes it."""
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                told = parse_client(message.data)
                self.messages.put_nowait(told)
                if isinstance(told, Stop):
                    await self.tell(Ended(reason="hangup"))
                    await self.socket.close()
            elif message.type is WSMsgType.BINARY:
                self.messages.put_nowait(message.data)


Script = Callable[[Line], Awaitable[None]]


class ControlDouble:
    """Answers at ``url``; each websocket is played the next script, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, Any]] = []
        """Method, path with query and body of each request."""
        self.headers: Mapping[str, str] = {}
        """Of the last request."""
        self.problems: list[web.Response] = []
        """Answers that come before all others, once each."""
        self.scripts: list[Script] = [greet]
        self.lines: list[Line] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.read()
        self.headers = request.headers
        told = json.loads(body) if request.content_type == "application/json" and body else body
        self.requests.append((request.method, request.path_qs, told))
        if self.problems:
            return self.problems.pop(0)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "authentication_failed", "the API key is not known")
        return web.json_response(self._answer(request.method, request.path.rsplit("/", 1)[1], told))

    def _answer(self, method: str, what: str, told: Any) -> Any:
        issued = {"token": "t0", "token_expires_in": 60.0}
        where = self.url.replace("http", "ws", 1) + f"/v1/sessions/{SESSION}/media"
        over = {**VIEW, "id": "b" * 32, "persistence_status": "completed"}
        known = {
            ("POST", "sessions"): lambda: {**VIEW, **told, **issued, "connect_url": where},
            ("GET", "sessions"): lambda: {"sessions": [VIEW, over]},
            ("POST", "token"): lambda: {**issued, "connect_url": where},
            ("PATCH", SESSION): lambda: {**VIEW, **told},
        }
        return known.get((method, what), lambda: VIEW)()

    async def media(self, request: web.Request) -> web.WebSocketResponse:
        """Play a script to one caller."""
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        line = Line(socket, request)
        script = self.scripts[min(len(self.lines), len(self.scripts) - 1)]
        self.lines.append(line)
        reading = asyncio.create_task(line.read())
        try:
            await script(line)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return socket


async def greet(line: Line) -> None:
    """Answer ``start`` with ``ready``."""
    while not isinstance(started := await line.hear(), Start):
        line.said.append(started)
    line.said.append(started)
    await line.tell(Ready(session=SESSION, sample_rate=started.sample_rate, resume_token="resume-me"))


def problem(status: int, code: str, detail: str, **more: Any) -> web.Response:
    """Return an RFC 9457 problem."""
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    return web.json_response({"code": code, "detail": detail, "details": more}, status=status, headers=headers)


@asynccontextmanager
async def control_double() -> AsyncIterator[ControlDouble]:
    """Run a double on a free loopback port."""
    double = ControlDouble()
    app = web.Application()
    app.router.add_get(f"/v1/sessions/{SESSION}/media", double.media)
    app.router.add_route("*", "/{path:.*}", double.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield double
    finally:
        await runner.cleanup()

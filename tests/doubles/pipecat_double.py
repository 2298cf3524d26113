"""A Pipecat server's double: a websocket of its own at ``/ws``, and the development runner's ``/start`` with tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count

from aiohttp import web
from pipecat_call import Manner, PipecatCall
from pipecat_messages import wrong_start

from providers.conformance.double import KEY, Double


class PipecatDouble(Double):
    """Its pipeline listens and answers in tones; without ``rtvi`` it tells nothing of it."""

    def __init__(self, manner: Manner | None = None) -> None:
        super().__init__()
        self._manner = manner or Manner()
        self._tokens: set[str] = set()
        self._numbers = count(1)
        self.started = asyncio.Event()
        """A session was."""
        self.calls: list[PipecatCall] = []
        """All that there were."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.get("/ws", self._talk), web.post("/start", self._start), web.get("/ws-client", self._talk)]

    def key_of(self, request: web.Request) -> str:
        """Return the key for a token, which is good once."""
        key = super().key_of(request)
        if request.path != "/ws-client" or key not in self._tokens:
            return key
        self._tokens.remove(key)
        return KEY

    async def _start(self, request: web.Request) -> web.Response:
        wrong = wrong_start(await request.json())
        if wrong:
            self.garbled.append(wrong)
        token = f"token-{next(self._numbers)}-{id(self):x}"
        self._tokens.add(token)
        self.started.set()
        url = f"wss://127.0.0.1:{self.port}/ws-client"  # as the runner has it, though the port speaks plainly
        return web.json_response({"wsUrl": url, "sessionId": "session", "token": token})

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        ws = await self.accept(request)
        call = PipecatCall(ws, self._manner)
        self.calls.append(call)
        try:
            await call.run()
        except ConnectionError:
            pass  # the client has gone
        finally:
            self.garbled += call.garbled
        return ws

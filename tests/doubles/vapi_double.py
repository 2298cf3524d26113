"""A double of Vapi: calls are created by HTTP and held by websocket; whatever its API does not know is noted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from listening import answer_to
from vapi_call import Line, VapiCall

from providers.conformance.double import KEY, Double

_BODY = {
    "assistantId",
    "assistant",
    "assistantOverrides",
    "transport",
    "name",
    "metadata",
}
_CONTROLS = {"mute-assistant", "unmute-assistant", "mute-customer", "unmute-customer", "say-first-message"}
_ROLES = {"assistant", "function", "user", "system", "tool"}
_TABLE: Mapping[str, tuple[dict[str, type], dict[str, type]]] = {
    "say": (
        {"content": str},
        dict.fromkeys(("endCallAfterSpoken", "interruptAssistantEnabled", "interruptionsEnabled"), bool),
    ),
    "add-message": ({"message": dict}, {"triggerResponseEnabled": bool}),
    "control": ({"control": str}, {}),
    "end-call": ({}, {}),
    "hangup": ({}, {}),
    "transfer": ({}, {"destination": dict, "content": str}),
    "append-context": ({"kind": str, "content": str}, {}),
}
"""Fields that a client's message must have, and those that it may have."""


def flaws(message: Any) -> list[str]:
    """Return what is wrong with a client's message."""
    if not isinstance(message, dict) or message.get("type") not in _TABLE:
        return [f"no such message: {message!r}"]
    must, may = _TABLE[message["type"]]
    fields = {name: value for name, value in message.items() if name != "type"}
    found = [f"{message['type']} lacks {name}" for name in must.keys() - fields.keys()]
    for name, value in fields.items():
        kind = {**must, **may}.get(name)
        if kind is None or not isinstance(value, kind):
            found.append(f"{message['type']}.{name} may not be {value!r}")
    inner = message.get("message")
    if isinstance(inner, dict) and (inner.get("role") not in _ROLES or not isinstance(inner.get("content"), str)):
        found.append(f"add-message.message may not be {inner!r}")
    if message["type"] == "control" and message.get("control") not in _CONTROLS:
        found.append(f"no such control: {message.get('control')!r}")
    return found


class VapiDouble(Double):
    """Vapi on loopback."""

    def __init__(self, *, wrapped: bool = False, hums: bool = False, lingers: bool = False) -> None:
        """With ``lingers`` a call goes on when its websocket is gone, and must be told to end."""
        super().__init__()
        self.calls: dict[str, VapiCall] = {}
        self.joinable = True
        """Else nobody gets into a call."""
        self.readable = True
        """Else nobody learns how a call is."""
        self.created = asyncio.Event()
        """There is a call."""
        self._wrapped, self._hums, self._lingers = wrapped, hums, lingers

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the paths."""
        return [
            web.post("/call", self._create),
            web.get("/call", self._list),
            web.get("/call/{id}", self._read),
            web.get("/{id}/transport", self._transport),
            web.post("/{id}/control", self._control),
        ]

    def key_of(self, request: web.Request) -> str:
        """Return the key; a call's own URLs need none, and must get none."""
        key = super().key_of(request)
        if not request.path.endswith(("/transport", "/control")):
            return key
        if key:
            self.garbled.append(f"a key was sent to {request.path}")
        return KEY

    @property
    def live(self) -> list[VapiCall]:
        """Calls that have not ended: they are billed."""
        return [call for call in self.calls.values() if call.status != "ended"]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        audio = (body.get("transport") or {}).get("audioFormat") or {}
        wrong = [f"no such field of a call: {name}" for name in body.keys() - _BODY]
        if bool(body.get("assistantId")) == bool(body.get("assistant")):
            wrong.append("a call has one assistant")
        if (audio.get("format"), audio.get("container")) != ("pcm_s16le", "raw"):
            wrong.append("no such audio format")
        if wrong:
            self.garbled += wrong
            return web.json_response({"message": wrong, "statusCode": 400}, status=400)
        call = VapiCall(body, wrapped=self._wrapped, hums=self._hums)
        self.calls[call.id] = call
        self.created.set()
        return web.json_response(self._described(call), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        limit = int(request.query.get("limit", "100"))
        return web.json_response([self._described(call) for call in list(self.calls.values())[:limit]])

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if not self.readable:
            raise web.HTTPInternalServerError
        return web.json_response(self._described(self._found(request)))

    async def _transport(self, request: web.Request) -> web.StreamResponse:
        call = self._found(request)
        if not self.joinable:
            raise web.HTTPServiceUnavailable
        ws = await self.accept(request)
        await call.hold(ws, self._take)
        if not self._lingers or call.status == "ended":
            await call.end()
        await ws.close()
        return ws

    async def _control(self, request: web.Request) -> web.StreamResponse:
        await self._take(self._found(request), await request.text())
        return web.json_response({"success": True})

    def _found(self, request: web.Request) -> VapiCall:
        call = self.calls.get(request.match_info["id"])
        if call is None:
            raise web.HTTPNotFound
        return call

    def _described(self, call: VapiCall) -> dict[str, Any]:
        stamp = "2026-11-23T00:00:00.000Z"
        fields = {key: call.body[key] for key in ("assistantId", "assistantOverrides") if key in call.body}
        return {
            **fields,
            "id": call.id,
            "orgId": "org",
            "type": "vapi.websocketCall",
            "status": call.status,
            "createdAt": stamp,
            "updatedAt": stamp,
            "transport": {**call.body["transport"], "websocketCallUrl": f"{self.ws_url}/{call.id}/transport"},
            "monitor": {
                "listenUrl": f"{self.ws_url}/{call.id}/listen",
                "controlUrl": f"{self.url}/{call.id}/control",
            },
        }

    async def _take(self, call: VapiCall, raw: str) -> None:
        """Do what a client says."""
        message = json.loads(raw)
        if wrong := flaws(message):
            self.garbled += wrong
            return
        match message["type"]:
            case "end-call" | "hangup":
                await call.end()
            case "say":
                line = Line(message["content"], "force-say", ends_call=message.get("endCallAfterSpoken", False))
                call.say(line, instead=message.get("interruptAssistantEnabled", False))
            case "add-message":
                call.history.append(message["message"])
                if message.get("triggerResponseEnabled", True):
                    call.say(Line(answer_to(message["message"]["content"]), "model"))
            case "control":
                if message["control"].endswith("mute-assistant"):
                    call.muted = message["control"] == "mute-assistant"
            case _:
                pass

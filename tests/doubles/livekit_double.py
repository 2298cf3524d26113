"""LiveKit's server API on loopback: its Twirp methods with JSON bodies, the grants that each wants, and its rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jwt
from aiohttp import web

from providers.conformance.double import Double

SECRET = "not-a-secret-but-long-enough-for-hs256"
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "ListRooms": {"names": list},
    "CreateRoom": {"name": str, "empty_timeout": int, "departure_timeout": int, "max_participants": int},
    "RemoveParticipant": {"room": str, "identity": str},
    "DeleteRoom": {"room": str},
}
"""What each method is told."""
_GRANTS: Mapping[str, set[str]] = {
    "ListRooms": {"roomList"},
    "CreateRoom": {"roomCreate"},
    "RemoveParticipant": {"roomAdmin", "room"},
    "DeleteRoom": {"roomCreate"},
}
"""What each method's token must let its bearer do, and no more."""


class LiveKitDouble(Double):
    """Keeps rooms by name, without anybody in them."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: set[str] = set()

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the API."""
        return [web.post("/twirp/livekit.RoomService/{method}", self._call)]

    def key_of(self, request: web.Request) -> str:
        """Return who signed the request's token."""
        return str(self._claims(request).get("iss", ""))

    def _claims(self, request: web.Request) -> dict[str, Any]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            return dict(jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["exp", "iss"]}))
        except jwt.InvalidTokenError:
            return {}

    async def _call(self, request: web.Request) -> web.Response:
        method, told = request.match_info["method"], await request.json()
        self._judge(method, told, self._claims(request).get("video", {}))
        match method:
            case "CreateRoom":
                self.rooms.add(told["name"])
                return web.json_response({"name": told["name"]})
            case "ListRooms":
                return web.json_response({"rooms": [{"name": name} for name in self.rooms & set(told["names"])]})
            case "DeleteRoom" if told["room"] in self.rooms:
                self.rooms.discard(told["room"])
                return web.json_response({})
        return web.json_response({"code": "not_found", "msg": "requested room does not exist"}, status=404)

    def _judge(self, method: str, told: Mapping[str, Any], grants: Mapping[str, Any]) -> None:
        fields = _FIELDS.get(method, {})
        if told.keys() != fields.keys() or any(not isinstance(told[name], kind) for name, kind in fields.items()):
            self.garbled.append(f"{method}: {sorted(told)}")
        if {name for name, value in grants.items() if value} != _GRANTS.get(method, set()):
            self.garbled.append(f"{method}: granted {sorted(grants)}")

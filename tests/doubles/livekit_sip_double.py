"""LiveKit's SIP service as a double: bodies and tokens are read by LiveKit's own package, which can drive it too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.message import Message
from livekit import api
from livekit.api.access_token import Claims

KEY, SECRET = "devkey", "not-a-secret-but-long-enough-for-hs256"
_REQUESTS: Mapping[str, type[Message]] = {
    "CreateSIPParticipant": api.CreateSIPParticipantRequest,
    "TransferSIPParticipant": api.TransferSIPParticipantRequest,
    "GetParticipant": api.RoomParticipantIdentity,
    "RemoveParticipant": api.RoomParticipantIdentity,
    "ListParticipants": api.ListParticipantsRequest,
}
_PROTOBUF = "application/protobuf"


class LiveKitSipDouble:
    """Numbers ring until ``answer`` says what becomes of them."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Method and request of what was asked, as LiveKit's package reads it."""
        self.request_ids: list[str] = []
        self.rooms: dict[str, str] = {}
        """``sip.callStatus`` of the called party, by room."""
        self.callers: dict[str, str] = {}
        """Identities of those who came by SIP themselves, by room."""
        self.sip: dict[str, asyncio.Future[int]] = {}
        """What becomes of calls, by room: a SIP status."""
        self.ordered: asyncio.Queue[str] = asyncio.Queue()
        """Rooms of calls that ring, in order."""
        self.early: web.Response | None = None
        """What the next order is refused with."""
        self.transfer_fails = False

    def answer(self, room: str, status: int) -> None:
        """Have the call of a room answered (200), or not."""
        self.sip[room].set_result(status)

    async def _call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = api.TokenVerifier(KEY, SECRET).verify(token)
        told = await self._read(request, method)
        fields = MessageToDict(told, preserving_proto_field_name=True)
        self.asked.append((method, fields))
        _judge(method, fields, claims)
        match method:
            case "CreateSIPParticipant":
                self.request_ids.append(request.headers.get("X-Livekit-Request-Id", ""))
                reply = await self._create(fields)
            case "TransferSIPParticipant":
                reply = self._transfer(fields)
            case "ListParticipants":
                reply = self._people(fields["room"])
            case _:
                reply = self._participant(method, fields["room"])
        if isinstance(reply, web.Response):
            return reply
        if request.content_type == _PROTOBUF:
            return web.Response(body=reply.SerializeToString(), content_type=_PROTOBUF)
        return web.json_response(MessageToDict(reply, preserving_proto_field_name=True))

    async def _read(self, request: web.Request, method: str) -> Message:
        kind, body = _REQUESTS[method], await request.read()
        return kind.FromString(body) if request.content_type == _PROTOBUF else Parse(body, kind())

    async def _create(self, fields: dict[str, Any]) -> Message | web.Response:
        if self.early is not None:
            early, self.early = self.early, None
            return early
        room = fields["room_name"]
        self.rooms[room], self.sip[room] = "ringing", asyncio.get_running_loop().create_future()
        self.ordered.put_nowait(room)
        status = await self.sip[room]
        if status == 200:
            self.rooms[room] = "active"
            return api.SIPParticipantInfo(participant_identity=fields["participant_identity"], room_name=room)
        del self.rooms[room]
        meta = {"sip_status_code": str(status), "sip_status": "as told"}
        return twirp("unavailable", 503, "sip status", meta)

    def _transfer(self, fields: dict[str, Any]) -> Message | web.Response:
        if self.transfer_fails:
            return twirp("failed_precondition", 412, "sip transfer failed", {"sip_transfer_reason": "STR_REJECTED"})
        room, identity = fields["room_name"], fields["participant_identity"]
        if room not in self.rooms or identity != self.callers.get(room, "caller"):
            return twirp("not_found", 404, "participant does not exist")
        del self.rooms[room]
        return api.TransferSIPParticipantResponse(status=api.SIPTransferStatus.STS_TRANSFER_SUCCESSFUL)

    def _people(self, room: str) -> Message | web.Response:
        """Tell who is in a room: the agent, somebody who looks on, and who came by SIP."""
        there = [
            api.ParticipantInfo(identity="agent-1", kind=api.ParticipantInfo.Kind.AGENT),
            api.ParticipantInfo(identity="visitor", kind=api.ParticipantInfo.Kind.STANDARD),
        ]
        if room in self.rooms:
            identity = self.callers.get(room, "caller")
            there.append(api.ParticipantInfo(identity=identity, kind=api.ParticipantInfo.Kind.SIP))
        return api.ListParticipantsResponse(participants=there)

    def _participant(self, method: str, room: str) -> Message | web.Response:
        status = self.rooms.get(room)
        if status is None:
            return twirp("not_found", 404, "participant does not exist")
        if method == "RemoveParticipant":
            del self.rooms[room]
            return api.RemoveParticipantResponse()
        return api.ParticipantInfo(identity="caller", attributes={"sip.callStatus": status})


def twirp(code: str, status: int, message: str, meta: dict[str, str] | None = None) -> web.Response:
    """Return an error as the server words it."""
    return web.json_response({"code": code, "msg": message, **({"meta": meta} if meta else {})}, status=status)


def _judge(method: str, fields: Mapping[str, Any], claims: Claims) -> None:
    """Refuse a token that lets its bearer do less than this, or more."""
    sip, video = claims.sip, claims.video
    if method.endswith("SIPParticipant"):
        assert sip is not None
        assert sip.call, method
        assert not sip.admin
    if method != "CreateSIPParticipant":
        assert video is not None
        assert video.room_admin, method
        assert video.room == fields.get("room", fields.get("room_name"))


@asynccontextmanager
async def livekit_sip() -> AsyncIterator[LiveKitSipDouble]:
    """Run a double on a free port."""
    double = LiveKitSipDouble()
    app = web.Application()
    app.router.add_post("/twirp/livekit.{service}/{method}", double._call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    double.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        for waiting in double.sip.values():
            waiting.cancel()
        await runner.cleanup()

"""LiveKit's SIP service as a carrier: it calls the number, and the called party joins the session's room."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import jwt
from redis.asyncio import Redis

from control.telephony.outbound.answerer import is_machine
from control.telephony.outbound.carrier import CallStatus, DialOrder, Outcome
from control.telephony.outbound.carriers.api import Answer, CarrierApi
from control.telephony.outbound.line import CarrierSetup
from voicebackend._background import Background
from voicebackend._redis import redis_errors
from voicebackend.errors import ConnectionFailed, InvalidConfig, SessionNotActive, VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.rooms import CALLER, room_of

logger = logging.getLogger(__name__)

REMEMBER_S = 86_400
"""Seconds for which it is known what became of an order."""
EARLY_S = 3.0
"""Seconds in which the service has said that it cannot call at all, if it cannot."""
BEYOND_RING_S = 15.0
"""Seconds beyond ringing in which the service says what came of it."""
MAX_RING_S = 45
"""Seconds that a number may ring: a session waits a minute for its caller."""
TRANSFER_RING_S = 15
"""Seconds that whom a call is handed over to has to answer."""
TRANSFER_S = 22.0
"""Seconds that the service may take for it: less than a task may."""
TOKEN_S = 60.0
_ORDERED = "ordered"
_BY_SIP: Mapping[int, Outcome] = {
    486: Outcome.BUSY,
    600: Outcome.BUSY,
    603: Outcome.BUSY,  # declined
    408: Outcome.NO_ANSWER,
    480: Outcome.NO_ANSWER,
    487: Outcome.NO_ANSWER,
}
"""Any other status is a failure."""
_CALL_STATUS: Mapping[str, Outcome] = {"active": Outcome.ANSWERED, "automation": Outcome.ANSWERED}
"""By a participant's ``sip.callStatus``; the others have not answered yet."""
_SIP, _ROOMS = "/livekit.SIP", "/livekit.RoomService"
_NOT_FOUND = 404


class LiveKitSip:
    """One trunk of one server. The carrier's id of a call is its room's name: the called party is there as ``caller``.

    What was ordered is written down before it is, and what came of it: ``find`` knows for certain in any process.
    """

    polled: ClassVar[bool] = True
    joins_room: ClassVar[bool] = True

    def __init__(
        self, key: str, secret: str, *, url: str, sip_trunk: str, room_name: str, redis: Redis, keys: Keys
    ) -> None:
        """``url`` is the server's (``wss`` or ``https``), ``redis`` the ``state`` role."""
        self._key, self._secret, self._sip_trunk, self._room_name = key, secret, sip_trunk, room_name
        self._redis, self._keys = redis, keys
        self._api = CarrierApi("livekit", f"{_http(url)}/twirp")
        self._waiting = Background()

    def __repr__(self) -> str:
        return f"<LiveKitSip {self._sip_trunk}>"

    @classmethod
    def of(cls, setup: CarrierSetup) -> Self:
        """Return the carrier of a trunk; raises InvalidConfig if its server's address or key is missing."""
        trunk = setup.trunk
        url, key = trunk.access(setup.name)
        rooms = trunk.room_name
        return cls(
            key,
            setup.secret,
            url=url,
            sip_trunk=trunk.sip_trunk or "",
            room_name=rooms,
            redis=setup.redis,
            keys=setup.keys,
        )

    async def dial(self, order: DialOrder) -> str:
        """Have the number called; that it is answered, or why not, is written down when it is known."""
        if not order.session:
            raise InvalidConfig("livekit.dial", "there is no session whose room the called party could join")
        room = room_of(self._room_name, order.session)
        await self._write(order, _ORDERED)
        ordering = self._waiting.start(self._order(order, room), name=f"livekit call {order.call}")
        await asyncio.wait({ordering}, timeout=EARLY_S)
        refused = ordering.result() if ordering.done() else None
        if refused is not None:
            raise refused
        return room

    async def hang_up(self, carrier_call_id: str) -> None:
        """Have the called party leave the room, which ends the call in whatever state it is."""
        body = {"room": carrier_call_id, "identity": CALLER}
        answer = await self._rooms("RemoveParticipant", body, carrier_call_id)
        if answer.status != _NOT_FOUND:
            answer.checked("livekit.hang_up")

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Have the other side call another number in our place (REFER); the call goes on here if that fails.

        Of a call that came in as well: whoever is in the room by SIP.

        Raises:
            SessionNotActive: nobody is.

        """
        del back_url
        body = {
            "room_name": carrier_call_id,
            "participant_identity": await self._by_sip(carrier_call_id),
            "transfer_to": f"tel:{to}",
            "play_dialtone": True,
            "ringing_timeout": f"{TRANSFER_RING_S}s",
        }
        grants = {"video": {"roomAdmin": True, "room": carrier_call_id}, "sip": {"call": True}}
        answer = await self._ask(f"{_SIP}/TransferSIPParticipant", body, grants, timeout_s=TRANSFER_S)
        told = answer.checked("livekit.transfer")
        if told.get("status") == "STS_TRANSFER_FAILED":
            raise ConnectionFailed("livekit.transfer", "the other side did not hand the call over")

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Return what was written down of the order, and what the participant says while that is not its end."""
        with redis_errors("livekit.find"):
            raw: Any = await self._redis.get(self._keys.sip_order(order.call, order.attempt))
        if raw is None:
            return None
        written: str = raw.decode()
        if written not in {_ORDERED, str(Outcome.ANSWERED)}:
            return _status(order, room_of(self._room_name, order.session), **json.loads(written))
        return await self._present(order, answered=written != _ORDERED)

    async def aclose(self) -> None:
        """Close every connection; what came of orders is then seen by who is in the room."""
        await self._waiting.aclose()
        await self._api.aclose()

    # ------------------------------------------------------------ what came of an order

    async def _order(self, order: DialOrder, room: str) -> VoiceBackendError | None:
        """Order the call and write down what came of it; return why the service did not even try."""
        grants = {"sip": {"call": True}}
        request_id = {"X-Livekit-Request-Id": f"{order.call}-{order.attempt}"}
        try:
            answer = await self._ask(
                f"{_SIP}/CreateSIPParticipant",
                _participant(order, room, self._sip_trunk),
                grants,
                timeout_s=order.ring_s + BEYOND_RING_S,
                headers=request_id,
            )
            return await self._came_of_it(order, answer)
        except VoiceBackendError as error:
            logger.info("call not ordered, or nobody knows", extra={"call": order.call, "error_code": str(error.code)})
            return error

    async def _came_of_it(self, order: DialOrder, answer: Answer) -> VoiceBackendError | None:
        try:
            answer.checked("livekit.dial")
        except VoiceBackendError as error:
            sip = sip_status(answer.body)
            outcome = _BY_SIP.get(sip, Outcome.FAILED)
            if sip or not error.retryable:
                await self._write(order, json.dumps({"outcome": outcome, "code": str(sip or answer.code)}))
            return None if sip else error
        await self._write(order, Outcome.ANSWERED)
        return None

    async def _present(self, order: DialOrder, *, answered: bool) -> CallStatus:
        """Return how far the call of an order is that has no end yet, by who is in the room."""
        room = room_of(self._room_name, order.session)
        answer = await self._rooms("GetParticipant", {"room": room, "identity": CALLER}, room)
        if answer.status == _NOT_FOUND:
            if answered:
                return _status(order, room, Outcome.COMPLETED)
            raise ConnectionFailed("livekit.find", "nobody is in the room: why, is not known yet")
        attributes = answer.checked("livekit.find").get("attributes")
        told = attributes.get("sip.callStatus") if isinstance(attributes, dict) else None
        outcome = Outcome.ANSWERED if answered else _CALL_STATUS.get(str(told), Outcome.RINGING)
        if outcome is Outcome.ANSWERED and not answered:
            await self._write(order, Outcome.ANSWERED)
        if outcome is Outcome.ANSWERED and order.detect_machine:
            return await self._screened(_status(order, room, outcome), order)
        return _status(order, room, outcome)

    async def _screened(self, status: CallStatus, order: DialOrder) -> CallStatus:
        """Return the status of a call that was answered with who answered it, as our own worker hears it."""
        machine = await is_machine(self._redis, self._keys, order.session, greeting_over=order.await_greeting)
        outcome = Outcome.MACHINE if machine else status.outcome
        return replace(status, outcome=outcome, machine=machine)

    async def _by_sip(self, room: str) -> str:
        """Return who is in a room by SIP: whom we called, or the first who came."""
        answer = await self._rooms("ListParticipants", {"room": room}, room)
        people = [] if answer.status == _NOT_FOUND else answer.checked("livekit.transfer").get("participants")
        there = people if isinstance(people, list) else []
        found = [str(one.get("identity")) for one in there if isinstance(one, dict) and one.get("kind") == "SIP"]
        if not found:
            raise SessionNotActive("livekit.transfer", "nobody is in the session's room by SIP")
        return CALLER if CALLER in found else found[0]

    async def _write(self, order: DialOrder, what: str) -> None:
        with redis_errors("livekit.dial"):
            await self._redis.set(self._keys.sip_order(order.call, order.attempt), what, ex=REMEMBER_S)

    # ------------------------------------------------------------ requests

    async def _rooms(self, method: str, body: Mapping[str, Any], room: str) -> Answer:
        return await self._ask(f"{_ROOMS}/{method}", body, {"video": {"roomAdmin": True, "room": room}})

    async def _ask(self, path: str, body: Mapping[str, Any], grants: Mapping[str, Any], **how: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self._token(grants)}", **how.pop("headers", {})}
        return await self._api.ask(path.rpartition("/")[2], "POST", path, body=body, headers=headers, **how)

    def _token(self, grants: Mapping[str, Any]) -> str:
        now = int(time.time())
        claims = {"iss": self._key, "nbf": now, "exp": now + int(TOKEN_S), **grants}
        return jwt.encode(claims, self._secret, "HS256")


def _http(url: str) -> str:
    """Return where a server that is reached at ``wss`` answers requests."""
    return f"http{url.removeprefix('ws')}" if url.startswith("ws") else url


def sip_status(body: Mapping[str, Any]) -> int:
    """Return the SIP status with which a call failed, as LiveKit's errors carry it; 0 where they do not."""
    meta = body.get("meta")
    found = str(meta.get("sip_status_code", "")) if isinstance(meta, dict) else ""
    return int(found) if found.isascii() and found.isdecimal() and len(found) <= 3 else 0  # noqa: PLR2004


def _participant(order: DialOrder, room: str, sip_trunk: str) -> dict[str, Any]:
    """Return the request that has the number called."""
    return {
        "sip_trunk_id": sip_trunk,
        "sip_number": order.from_,
        "sip_call_to": order.to,
        "room_name": room,
        "participant_identity": CALLER,
        "ringing_timeout": f"{min(order.ring_s, MAX_RING_S)}s",
        "wait_until_answered": True,
    }


def _status(order: DialOrder, room: str, outcome: str, code: str = "") -> CallStatus:
    return CallStatus(
        call=order.call,
        attempt=order.attempt,
        outcome=Outcome(outcome),
        carrier_call_id=room,
        at=time.time(),
        code=code,
    )

"""A trunk that makes calls, with its book, a carrier and somebody to speak, each of which does what a test says."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from redis.asyncio import Redis

from control.telephony.outbound.book import CallBook
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.carrier import CallStatus, DialOrder
from control.telephony.outbound.dialler import Dialler
from control.telephony.outbound.do_not_call import DoNotCall
from control.telephony.outbound.line import OutboundLine
from control.telephony.outbound.settings import Outbound
from voicebackend.calls import CallRequest, CallWindow
from voicebackend.errors import InvalidConfig
from voicebackend.settings import Deployment

ALWAYS = CallWindow.model_validate({"zone": "UTC", "from": "00:00", "until": "00:00"})


class Carrier:
    """Does what the test says, and remembers what it was asked."""

    polled: ClassVar[bool] = False
    joins_room: ClassVar[bool] = False

    def __init__(self) -> None:
        self.orders: list[DialOrder] = []
        self.hung_up: list[str] = []
        self.answer: Callable[[], str] = lambda: "CA1"
        self.known: CallStatus | Exception | None = None

    async def dial(self, order: DialOrder) -> str:
        """Remember the order."""
        self.orders.append(order)
        return self.answer()

    async def find(self, order: DialOrder) -> CallStatus | None:
        """Tell what the test says."""
        del order
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    async def hang_up(self, carrier_call_id: str) -> None:
        """Remember it."""
        self.hung_up.append(carrier_call_id)

    async def transfer(self, carrier_call_id: str, to: str, *, back_url: str) -> None:
        """Not needed here."""
        raise InvalidConfig("transfer", f"{carrier_call_id} to {to} or {back_url}: not here")

    async def aclose(self) -> None:
        """Nothing to close."""


class Speaker:
    """Speaks, or says why not."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.released: list[str] = []
        self.messages: list[tuple[str, str]] = []

    async def ready(self, call: OutboundCall, line: OutboundLine) -> str:
        """Return the session of the room, where there is one."""
        if self.error is not None:
            raise self.error
        return f"session-{len(call.attempts) + 1}" if line.carrier.joins_room else ""

    async def leave_message(self, call: OutboundCall) -> None:
        """Remember it."""
        self.messages.append((call.attempts[-1].session, call.request.message or ""))

    async def release(self, session: str) -> None:
        """Remember it."""
        self.released.append(session)


class Office:
    """A trunk with its book and its carrier."""

    def __init__(self, redis: Redis, deployment: Deployment, **settings: Any) -> None:
        self.carrier, self.redis, self.keys = Carrier(), redis, deployment.keys
        self.speaker = Speaker()
        self.book, self.listed = CallBook(redis, self.keys), DoNotCall(redis, self.keys)
        outbound = Outbound(caller_ids=("+14155550100",), **{"cps": 100, **settings})
        self.line = OutboundLine(name="main", tenant="default", kind="test", settings=outbound, carrier=self.carrier)

    def dialler(self) -> Dialler:
        """Return the dialler of a process."""
        return Dialler(self.book, self.listed, self.line, self.speaker, base_url="https://voice.example.com")

    async def plan(self, **changes: Any) -> str:
        """Write a call that is due; return its id."""
        asked = {"to": "+12025550111", "windows": (ALWAYS,), **changes}
        now = time.time()
        call = OutboundCall(
            id=uuid.uuid4().hex, tenant="default", trunk="main", from_="+14155550100", created_at=now, due_at=now,
            request=CallRequest(**asked),
        )  # fmt: skip
        return (await self.book.create(call)).id

    async def lapse(self, call: str) -> None:
        """Let everything that the call waits for be over."""
        await self.redis.zadd(self.keys.outbound_active("main"), {call: 1})

    async def active(self) -> int:
        """Return how many calls the trunk has at its carrier."""
        return int(await self.redis.zcard(self.keys.outbound_active("main")))

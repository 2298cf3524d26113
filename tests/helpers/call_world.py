"""Services of a control process, as far as a telephone call needs them; sessions are stood in for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from task_harness import RecordingPublisher

from control.http import call_session
from control.http.incoming_calls import Taken, take_call
from control.telephony.call_desk import CallDesk
from control.telephony.call_register import Refused
from control.telephony.carriers.carrier import Incoming
from control.telephony.carriers.twilio import Twilio
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from control.telephony.switchboard import Line, Switchboard
from voicebackend._background import Background
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.session import SessionRequest, SessionState
from voicebackend.tasks import Task

LINE = Line("main", Twilio(), "default", "s")
CALL = Incoming(call_id="CA1", called="+14155559999", caller="sip:+12025550111@10.0.0.1")
ROUTES = {
    "version": 1,
    "targets": {"slow": {"provider": "slow"}, "good": {"provider": "good"}},
    "deny": [{"caller": ["+1900*"], "code": 603}],
    "routes": [
        {"id": "all", "use": [{"to": [{"target": "slow"}], "timeout": 0.3}, {"to": [{"target": "good"}]}]},
    ],
}
Create = Callable[[SessionRequest], Awaitable[str]]


class Publisher(RecordingPublisher):
    """Says when it was told something."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Remember a task."""
        await super().publish(task, **arguments)
        self.told.set()


class World:
    """Services of a control process, as far as a call needs them."""

    def __init__(self, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: dict[str, SessionState] = {}
        self.asked: list[SessionRequest] = []
        self.create: Create = self._quick
        self.publisher, self.background, self.keys, self.redis = Publisher(), Background(), Keys(), redis
        self.switchboard = Switchboard({"main": LINE}, Snapshot(RoutingTable.of(ROUTES)))
        self.desk = CallDesk(redis, self.keys, cast("Any", SimpleNamespace(current=self.switchboard)))
        self.hook: Any = None
        monkeypatch.setattr(call_session, "create_session", self._create)

    async def _workers(self) -> list[Any]:
        return [SimpleNamespace(providers={"slow": {}, "good": {}, "spare": {}})]

    async def _quick(self, request: SessionRequest) -> str:
        return f"{request.provider}-{len(self.asked)}"

    async def _create(self, _services: Any, _principal: Any, request: SessionRequest, *, routed_as: str) -> Any:
        assert routed_as
        self.asked.append(request)
        session = await self.create(request)
        self.states[session] = SessionState.READY
        return SimpleNamespace(id=session, tenant="default")

    async def get(self, session: str, tenant: str) -> Any:
        """Return a record, as the store does."""
        if session not in self.states:
            raise SessionNotFound("get")
        return SimpleNamespace(id=session, tenant=tenant, state=self.states[session])

    async def take(self, call: Incoming = CALL, *, within_s: float | None = None) -> Taken | Refused:
        """Tell of a call, by a webhook that has so many seconds if that is given."""
        until = None if within_s is None else asyncio.get_running_loop().time() + within_s
        services = SimpleNamespace(
            state=self.redis,
            keys=self.keys,
            store=self,
            publisher=self.publisher,
            background=self.background,
            desk=self.desk,
            hooks=SimpleNamespace(find=lambda _field: self.hook),
            workers=SimpleNamespace(now=self._workers),
        )
        return await take_call(cast("Any", services), self.switchboard, LINE, call, until=until)

    @property
    def ended(self) -> list[str]:
        """The sessions that were ended."""
        return [arguments["session_id"] for _, arguments in self.publisher.published]

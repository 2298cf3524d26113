"""Placing a telephone call: its route's targets are asked one after the other, within limits, until one takes it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from control.access.principal import Principal
from control.http.call_choices import Plan, plan_of
from control.http.call_session import session_within
from control.services import Services
from control.telephony import call_counts
from control.telephony.call_desk import CallDesk
from control.telephony.call_register import Refused
from control.telephony.carriers.carrier import Incoming
from control.telephony.health.states import Patience
from control.telephony.health.tables import patience_of
from control.telephony.live_calls import Full, LiveCall
from control.telephony.routing.decision import Choice
from control.telephony.routing.numbers import normalised
from control.telephony.routing.snapshot import Snapshot
from control.telephony.switchboard import Line
from voicebackend.errors import ErrorCode, SessionLimitExceeded, VoiceBackendError
from voicebackend.record import WITHHELD
from voicebackend.session import SessionRequest, Transport
from voicebackend.telemetry import telephone_calls

logger = logging.getLogger(__name__)

TRY_S = 7.0
"""Seconds that a call's targets have together: less than the claim to it lasts."""
NEXT = frozenset(
    {
        ErrorCode.SESSION_LIMIT_EXCEEDED,
        ErrorCode.CONNECTION_FAILED,
        ErrorCode.CONNECTION_TIMEOUT,
        ErrorCode.PROVIDER_NOT_FOUND,
        ErrorCode.RATE_LIMIT_EXCEEDED,
        ErrorCode.TIMEOUT,
    }
)
"""Errors after which the next target is asked; any other is one of our settings, and is told."""
NO_ROOM = 503
"""The SIP status where no target took the call."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A call with a session."""

    session: str
    tenant: str


class RouteFull(Exception):
    """The route has as many calls as it may, or in this second: no other target of it is asked."""


async def place(services: Services, line: Line, incoming: Incoming, routes: Snapshot) -> Taken | Refused:
    """Return the session of a new call, or how it is refused.

    Raises:
        VoiceBackendError: a setting of ours is wrong, or Redis is not there: no limit is passed without it.

    """
    desk = services.desk
    assert desk is not None  # noqa: S101 - who has lines has a desk
    placing = _Placing(services, desk, line, incoming, routes)
    return await placing.place()


class _Placing:
    """One call on its way to a target."""

    def __init__(self, services: Services, desk: CallDesk, line: Line, incoming: Incoming, routes: Snapshot) -> None:
        self._services, self._desk, self._line, self._incoming, self._routes = services, desk, line, incoming, routes
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._day = call_counts.day_of(time.time())

    async def place(self) -> Taken | Refused:
        plan = await plan_of(self._services, self._desk, self._line, self._incoming, self._routes)
        try:
            found = await self._first(plan)
        except RouteFull as full:
            return await self._refused(plan, NO_ROOM, str(full))
        if found is not None:
            return found
        code, reason = (plan.code, plan.reason) if plan.code else (NO_ROOM, "no_target")
        return await self._refused(plan, code, reason)

    async def _first(self, plan: Plan) -> Taken | None:
        """Return the session at the first target that takes the call."""
        if plan.choices and not await self._starts(plan.route):
            raise RouteFull("route_rate")
        deadline = self._began + TRY_S
        for choice in plan.choices:
            left_s = deadline - self._now()
            if left_s <= 0:
                break
            taken = await self._try(plan, choice, min(choice.timeout_s or left_s, left_s))
            if taken is not None:
                return taken
        return None

    async def _starts(self, route: str) -> bool:
        """Tell whether the route may take one call more in this second."""
        limits = self._routes.limits.get(route)
        if limits is None or limits.cps is None:
            return True
        return await self._desk.live.starts(route, secrets.token_hex(8), limits.cps)

    async def _try(self, plan: Plan, choice: Choice, timeout_s: float) -> Taken | None:
        """Return the session at this target, None if it takes the call not; what it counted against is given back."""
        call = self._live(plan, choice)
        about = {"trunk": self._line.name, "route": plan.route, "target": choice.target, "table": plan.version}
        full = await self._desk.live.take(call)
        if full is Full.ROUTE:
            raise RouteFull("route_full")
        try:
            if full is Full.TARGET:
                raise SessionLimitExceeded("incoming_call", "the target has as many calls as it may")
            if not await self._desk.health.admits(choice.target, call.session):
                raise SessionLimitExceeded("incoming_call", "the target has its trial call")
            taken = await self._start(plan, choice, call, timeout_s)
        except BaseException as error:
            await self._left(call, error)
            if not isinstance(error, VoiceBackendError) or error.code not in NEXT:
                raise
            logger.warning("target took no call", extra={**about, "error_code": error.code})
            return None
        logger.info("call taken", extra={**about, "session_id": taken.session})
        return taken

    async def _left(self, call: LiveCall, error: BaseException) -> None:
        """Give back what the call counted against at a target, and tell how that is doing."""
        try:
            if isinstance(error, VoiceBackendError) and error.code is not ErrorCode.TIMEOUT:
                await self._desk.live.end(call, {})
            else:  # its session may come yet
                await self._desk.live.went_elsewhere(call)
            if isinstance(error, VoiceBackendError):
                await self._desk.health.failed(call.target, call.session, error, call.patience)
        except VoiceBackendError as trouble:  # the reconciler gives it back
            logger.warning("call not given back", extra={"session_id": call.session, "error_code": trouble.code})

    def _live(self, plan: Plan, choice: Choice) -> LiveCall:
        target = self._routes.table.targets.get(choice.target)
        limits, route = {}, self._routes.limits.get(plan.route)
        if route is not None and route.concurrent is not None:
            limits[Full.ROUTE.value] = route.concurrent
        if target is not None and target.max_calls is not None:
            limits[Full.TARGET.value] = target.max_calls
        return LiveCall(
            session=secrets.token_hex(16),
            tenant=self._line.tenant,
            call_id=self._incoming.call_id,
            trunk=self._line.name,
            route=plan.route,
            target=choice.target,
            day=self._day,
            limits=limits,
            patience=Patience() if target is None else patience_of(target),
        )

    async def _start(self, plan: Plan, choice: Choice, call: LiveCall, timeout_s: float) -> Taken:
        principal = Principal(user_id=f"trunk:{self._line.name}", tenant=self._line.tenant)
        number = normalised(self._incoming.caller, self._routes.table.defaults.region).e164
        request = SessionRequest(
            user_id=number or WITHHELD,
            transport=Transport.TELEPHONY,
            provider=choice.provider,
            agent=choice.agent or None,
            metadata={**plan.metadata, "target": choice.target},
        )
        record = await session_within(self._services, principal, request, timeout_s, routed_as=call.session)
        counted = call_counts.taken(self._line.name, plan.route, choice.target, setup_s=self._now() - self._began)
        facts = {"session": record.id, "route": plan.route, "target": choice.target, "outcome": "taken"}
        await self._note(plan, facts, counted)
        telephone_calls.add(1, {"outcome": "taken"})
        return Taken(record.id, record.tenant)

    async def _refused(self, plan: Plan, code: int, reason: str) -> Refused:
        about = {"trunk": self._line.name, "route": plan.route, "table": plan.version}
        logger.info("call refused", extra={**about, "code": code, "reason": reason})
        counted = call_counts.refused(self._line.name, plan.route, code=code, reason=reason)
        await self._note(plan, {"route": plan.route, "outcome": "refused", "code": code, "reason": reason}, counted)
        telephone_calls.add(1, {"outcome": "refused", "code": code})
        return Refused(code)

    async def _note(self, plan: Plan, facts: Mapping[str, Any], counted: Mapping[str, int]) -> None:
        """Write down what became of the call; what cannot be written costs nobody the call."""
        tenant, call_id = self._line.tenant, self._incoming.call_id
        known = {**plan.known, **facts, "table": plan.version, "at": time.time()}
        noting = self._desk.known.note(tenant, call_id, known), self._desk.daily.count(tenant, self._day, counted)
        for error in await asyncio.gather(*noting, return_exceptions=True):
            if isinstance(error, BaseException):
                logger.warning("call not noted", extra={"error": type(error).__name__})

"""Dialling what is due, and looking after what is in flight: one trunk, one round. Any number of processes may at once.

A claim takes a call off the list of those that are due. Before the carrier is told, the attempt is written down; who
finds that another was faster does not dial. So an attempt is ordered at most once, and one whose process died is asked
for at the carrier, never ordered again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from control.telephony.outbound import plan
from control.telephony.outbound.book import CallBook, Decide
from control.telephony.outbound.call import OutboundCall
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.do_not_call import DoNotCall
from control.telephony.outbound.line import OutboundLine
from control.telephony.outbound.speakers import Speakers
from voicebackend.calls import AttemptEnd, CallState
from voicebackend.errors import (
    ErrorCode,
    OperationTimeout,
    RateLimitExceeded,
    SessionNotFound,
    VoiceBackendError,
)
from voicebackend.json_logs import described

logger = logging.getLogger(__name__)

ROUND_S = 1.0
"""Seconds for which a round takes calls: then the next is due."""
DIAL_S = 10.0
"""Seconds that a carrier has to take an order."""
LOOKS_AT_ONCE = 16
BUSY_S = 5.0
"""Seconds that a call waits when nobody could speak in it."""
_OP = "dial"
_PASSING = frozenset({ErrorCode.SESSION_LIMIT_EXCEEDED, ErrorCode.TIMEOUT, ErrorCode.SESSION_NOT_ACTIVE})
"""Errors after which somebody may be able to speak later, beside those that are ``retryable``."""


class Dialler:
    """Dials a trunk's calls; ``base_url`` is where carriers reach us."""

    def __init__(
        self, book: CallBook, listed: DoNotCall, line: OutboundLine, speakers: Speakers, *, base_url: str
    ) -> None:
        self._book, self._listed, self._line, self._speakers = book, listed, line, speakers
        self._base_url = base_url

    def __repr__(self) -> str:
        return f"<Dialler {self._line.name}>"

    async def dial_due(self) -> int:
        """Dial what is due, as fast as the trunk may, for ``ROUND_S`` seconds; return how many were claimed."""
        settings, now = self._line.settings, asyncio.get_running_loop().time
        until, dialled = now() + ROUND_S, 0
        async with asyncio.TaskGroup() as group:
            while now() < until:
                claim = await self._book.claim(self._line.name, concurrent=settings.concurrent, cps=settings.cps)
                if claim.call:
                    group.create_task(self._quietly(self._dial, claim.call), name=f"dial {claim.call}")
                    dialled += 1
                elif 0 <= claim.wait_s < until - now():
                    await asyncio.sleep(claim.wait_s)
                else:
                    break
        return dialled

    async def look(self) -> None:
        """See what became of calls that should have been heard of, and end those that are to end."""
        ids = await self._book.to_look_at(self._line.name, time.time())
        turns = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def one(call: str) -> None:
            async with turns:
                await self._quietly(self._look, call)

        async with asyncio.TaskGroup() as group:
            for call in ids:
                group.create_task(one(call), name=f"look at {call}")

    async def _quietly(self, work: Callable[[str], Awaitable[None]], call: str) -> None:
        """Do something with a call; what goes wrong with one keeps nobody from the others."""
        try:
            await work(call)
        except SessionNotFound:
            await self._book.forget(self._line.name, call)
        except VoiceBackendError as error:
            logger.warning("call not attended to", extra={**self._about(call), "error_code": error.code})
        except Exception as error:  # noqa: BLE001 - a carrier may be a class of the user's
            logger.error("call not attended to", extra={**self._about(call), **described(error)})  # noqa: TRY400 - without words

    async def _dial(self, id_: str) -> None:
        call = await self._book.get(id_)
        if call.state is not CallState.PLANNED:
            return
        if await self._listed.has(call.tenant, call.request.to):
            await self._book.put(plan.over(call, CallState.CANCELLED, "do_not_call", time.time()))
            return
        now = time.time()
        if not plan.may_begin(call, now):
            await self._book.put(plan.planned(call, now))
            return
        session = await self._speaker(call)
        if session is None:
            return
        begun = plan.begun(call, time.time(), session)
        written = None if begun is None else await self._book.put(begun)
        if written is not None:
            await self._order(written)
        elif session:
            await self._speakers.release(session)

    async def _speaker(self, call: OutboundCall) -> str | None:
        """See to it that somebody will speak; None where nobody can now: the call waits, or has failed."""
        try:
            return await self._speakers.ready(call, self._line)
        except VoiceBackendError as error:
            passes = error.retryable or error.code in _PASSING
            logger.warning("nobody to speak", extra={**self._about(call.id), "error_code": error.code})
            now = time.time()
            wanted = plan.planned(call, now + BUSY_S) if passes else plan.over(call, CallState.FAILED, error.code, now)
            await self._book.put(wanted)
            return None

    async def _order(self, call: OutboundCall) -> None:
        """Have the carrier call; where nobody knows whether it will, the claim lapses and it is asked."""
        attempt = call.attempts[-1]
        if time.time() - attempt.at > plan.LEASE_S - 2 * DIAL_S:  # this process was held up: others may look after it
            return
        about = {**self._about(call.id), "attempt": attempt.number}
        try:
            async with asyncio.timeout(DIAL_S):
                known = await self._line.carrier.dial(self._line.order(call, self._base_url))
        except RateLimitExceeded as error:
            logger.warning("carrier takes no call now", extra=about)
            await self._end(call, AttemptEnd.REFUSED, code=error.code, wait_s=error.retry_after or 0.0)
        except (TimeoutError, VoiceBackendError) as error:
            ours = error if isinstance(error, VoiceBackendError) else OperationTimeout(_OP)
            unsure = ours.retryable or isinstance(ours, OperationTimeout)
            logger.warning("call not dialled", extra={**about, "error_code": ours.code, "unsure": unsure})
            if not unsure:
                await self._end(call, AttemptEnd.REJECTED, code=ours.code)
        else:
            logger.info("call dialled", extra=about)
            line, number = self._line, attempt.number
            await self._change(call.id, lambda found: plan.ordered(found, number, known, line.watch, time.time()))

    async def _end(self, call: OutboundCall, end: AttemptEnd, *, code: str = "", wait_s: float = 0.0) -> None:
        """End the attempt that lasts, if it still does."""
        number = call.attempts[-1].number

        def decide(found: OutboundCall) -> OutboundCall | None:
            current = found.current
            if current is None or current.number != number:
                return None
            return plan.ended(found, end, time.time(), code=code, wait_s=wait_s)

        await self._change(call.id, decide)

    async def _look(self, id_: str) -> None:
        call = await self._book.get(id_)
        if call.state is CallState.PLANNED:  # claimed, and its claimer is gone
            await self._book.put(plan.planned(call, time.time()))
        elif call.current is None:
            await self._book.forget(self._line.name, id_)
        else:
            await self._ask(call)

    async def _ask(self, call: OutboundCall) -> None:
        """Ask the carrier about the attempt that lasts, and end it where it lasts too long or shall not."""
        carrier, watch, now = self._line.carrier, self._line.watch, time.time()
        try:
            async with asyncio.timeout(DIAL_S):
                status = await carrier.find(self._line.order(call, self._base_url))
        except (VoiceBackendError, TimeoutError) as error:
            await self._unknown(call, error)
            return
        if status is None:
            known = call.attempts[-1].carrier_call_id
            await self._end(call, AttemptEnd.UNKNOWN if known else AttemptEnd.LOST)
            return
        heard = await self._change(call.id, lambda found: plan.heard(found, status, watch, now))
        if heard is None or heard.current is None:
            return
        if self._shall_end(heard):
            await self._hang_up(heard)
        elif heard.current.machine and heard.request.on_machine == "leave_message" and carrier.joins_room:
            await self._speakers.leave_message(heard)

    def _shall_end(self, call: OutboundCall) -> bool:
        unwanted = call.request.on_machine == "hang_up" and call.attempts[-1].machine is True
        return call.cancelling or unwanted or time.time() > plan.deadline(call, self._line.watch)

    async def _hang_up(self, call: OutboundCall) -> None:
        attempt = call.attempts[-1]
        if not attempt.carrier_call_id:
            return
        async with asyncio.timeout(DIAL_S):
            await self._line.carrier.hang_up(attempt.carrier_call_id)
        outcome = Outcome.CANCELLED if attempt.answered_at is None else Outcome.COMPLETED
        status = CallStatus(call=call.id, attempt=attempt.number, outcome=outcome, at=time.time())
        watch = self._line.watch
        await self._change(call.id, lambda found: plan.heard(found, status, watch, time.time()))

    async def _unknown(self, call: OutboundCall, error: Exception) -> None:
        """Wait for what the carrier does not tell; past its time the attempt is over, and is not made again."""
        patience = 2 * plan.LEASE_S if call.attempts[-1].carrier_call_id == "" else 0.0
        if time.time() > plan.deadline(call, self._line.watch) + patience + plan.GRACE_S:
            await self._end(call, AttemptEnd.UNKNOWN, code=getattr(error, "code", "timeout"))
            return
        await self._change(call.id, partial(plan.looked, look_at=time.time() + plan.LATER_S))

    async def _change(self, id_: str, decide: Decide) -> OutboundCall | None:
        """Change a call; the session of an attempt that is over now is not needed any more."""
        call = await self._book.change(id_, decide)
        if call is not None and self._line.carrier.joins_room and call.attempts[-1].outcome is not None:
            await self._speakers.release(call.attempts[-1].session)
        return call

    def _about(self, call: str) -> dict[str, str]:
        return {"call": call, "trunk": self._line.name}

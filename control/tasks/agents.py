"""``agents.turn``: let a session's agent answer what its caller said, text by text into the session's lane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from control import context, loop
from control.agents.alive import alive
from control.agents.briefing import briefed
from control.agents.caller_audio import caller_audio
from control.agents.consent_request import ConsentRequest
from control.agents.hung_threads import hung_threads
from control.agents.lookup import lookup
from control.agents.memory import read_memory
from control.agents.once import OnceInTurn
from control.agents.opening import Opening, open_turn
from control.agents.pressed import pressed
from control.agents.relay import Relay
from control.agents.reply import AgentReply
from control.agents.runner import texts
from control.agents.transfer_request import TransferRequest
from control.agents.turn_notes import TurnNotes
from control.agents.turn_state import Attempt, Claim, Standing, Verdict, committed, standing
from control.context import TaskContext
from control.orchestration import announce
from control.sessions.consents import Consents
from voicebackend.agents import CONFIGURED, SPECULATION_S, HistoryEntry, Once, Turn, may_speculate
from voicebackend.deployment_secret import token_secret
from voicebackend.digits import CollectDigits, Digits
from voicebackend.errors import ErrorCode, SessionNotActive, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.sealing import Seal
from voicebackend.tasks import TELEPHONY_TRANSFER
from voicebackend.tracing import about, note, span
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)

AROUND_S = 10.0
"""Seconds beside the agent's own: to claim, to read, to close."""


def turn(session_id: str, turn: int, attempt: int) -> None:
    """Answer a turn, once for each attempt; a failure of the agent goes to the lane, not to Celery.

    Raises:
        ConnectionFailed, ConnectionTimeout: Redis is not there; the worker publishes the next attempt.
        LoopStuck: an async agent blocks the event loop; the process asks to be replaced.
        SessionNotActive: the session is in no lane.

    """
    shared = context.current()
    asked: dict[str, Any] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": session_id}
    with span("agents.turn", session_id=session_id, turn=turn, attempt=attempt, **asked):
        try:
            loop.run(
                AgentTurn(shared, session_id, turn, attempt).answer(), _timeout_s(shared) + SPECULATION_S + AROUND_S
            )
        except loop.LoopStuck:
            hung_threads.replace_process()
            raise


def _timeout_s(shared: TaskContext) -> float:
    return shared.config.timeout.total_seconds()


class AgentTurn:
    """One attempt at one turn."""

    def __init__(self, shared: TaskContext, session_id: str, turn: int, attempt: int) -> None:
        self._shared, self._id, self._turn, self._attempt = shared, session_id, turn, attempt
        self._state = Attempt(key=shared.keys.turn(session_id, turn), number=attempt)
        self._transfer: TransferRequest | None = None
        self._extra = {"session_id": session_id, "turn": turn, "attempt": attempt}

    async def answer(self) -> None:
        """Claim the attempt, run the agent, and say how it ended."""
        shared = self._shared
        await shared.refresh()
        opening = await open_turn(shared.state_wire, shared.keys, self._id, self._state)
        if opening.claim.verdict is not Verdict.WON:
            logger.info("agent turn left alone", extra={**self._extra, "why": str(opening.claim.verdict)})
            return
        note(**opening.record.whose, **{"gen_ai.agent.name": opening.record.agent or None})
        with about(**opening.record.whose):
            await self._answer(opening)

    async def _answer(self, opening: Opening) -> None:
        shared, record = self._shared, opening.record
        if record.lane < 0:
            raise SessionNotActive("agents.turn", "the session is in no lane")
        lane = shared.keys.lane(record.lane)
        reply = AgentReply(shared.wire, lane, session=self._id, turn=self._turn, attempt=self._attempt)
        sign = shared.keys.turn_alive(self._id, self._turn)
        async with alive(shared.state_wire, sign, self._attempt), reply.begun():
            answered = await self._speak(opening, reply)
        if not answered:
            return
        wanted = await shared.outbox.wants(record.tenant, EventType.TURN_COMPLETED)
        turn: dict[str, Any] = {"turn": self._turn, "attempt": self._attempt, "wanted": wanted}
        await announce(shared.publisher, shared.config, record, "turn", **turn)

    async def _speak(self, opening: Opening, reply: AgentReply) -> bool:
        """Let the agent answer; False if it failed."""
        limit = asyncio.timeout(self._limit_s(opening.claim))
        try:
            async with limit:
                whole = await self._relay(opening, reply)
        except TimeoutError as error:
            code = ErrorCode.TIMEOUT if limit.expired() else ErrorCode.AGENT_ERROR
            return not await self._failed(reply, code, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the lane must hear of it
            return not await self._failed(reply, ErrorCode.AGENT_ERROR, error)
        if whole:
            await reply.done()
            await self._hand_over(reply)
        else:
            logger.info("agent turn no longer wanted", extra=self._extra)
        return True

    async def _relay(self, opening: Opening, reply: AgentReply) -> bool:
        record, claimed, memory = opening.record, opening.claim, opening.memory
        function = lookup(record.agent, self._shared.parts)
        if claimed.speculative and not may_speculate(record.agent):
            said = await committed(self._shared.state_wire, self._state)
            if said is None:
                return False
            claimed = replace(claimed, transcript=said, speculative=False)
            memory = await read_memory(self._shared.state, self._shared.keys, self._id)
        once = OnceInTurn(self._shared.sync_state, self._state, wait_s=self._limit_s(claimed))
        self._transfer = TransferRequest(
            self._shared.sync_state,
            self._shared.keys.handover_wish(self._id),
            self._turn,
            once=once,
            check=lambda to: self._shared.handover.check(record, to),
        )
        relay, loop_ = Relay(reply, self._is_wanted), asyncio.get_running_loop()
        notes = TurnNotes(self._shared.state, self._shared.keys, record, turn=self._turn, attempt=self._attempt)

        def collect(request: CollectDigits) -> None:
            notes.sensitive = notes.sensitive or request.sensitive
            relay.collect(request)

        given = replace(
            self._given(record, claimed, memory),
            audio=await self._audio(record),
            once=once,
            operator=self._transfer,
            notary=self._notary(record, once),
            digits=await self._digits(claimed),
            notes=lambda note: loop_.call_soon_threadsafe(notes.take, note),
            keypad=lambda request: loop_.call_soon_threadsafe(collect, request),
        )
        notes.sensitive = given.digits is not None and given.digits.sensitive
        async with notes:
            return await relay.run(texts(function, await briefed(self._shared.parts, record, given)))

    async def _audio(self, record: SessionRecord) -> bytes:
        """Return what the caller said as a WAV file, where the model that answers hears."""
        shared = self._shared
        if record.agent != CONFIGURED or shared.config.multimodal_model is None:
            return b""
        return await caller_audio(shared.wire, shared.keys, self._id, self._turn)

    def _notary(self, record: SessionRecord, once: Once) -> ConsentRequest:
        shared = self._shared
        consents = Consents(shared.state, shared.keys, shared.publisher, keeps=shared.deployment.retention is not None)
        return ConsentRequest(consents, self._id, agent=record.agent, once=once)

    async def _hand_over(self, reply: AgentReply) -> None:
        """Have the caller handed over once the words were heard, if the agent wished it."""
        if self._transfer is not None and self._transfer.made:
            about = {"session_id": self._id, "turn": self._turn, "spoken": reply.deltas}
            await self._shared.publisher.publish(TELEPHONY_TRANSFER, **about)

    async def _digits(self, claimed: Claim) -> Digits | None:
        """Return what the caller pressed, if the agent had asked for keys."""
        if not claimed.digits:
            return None
        shared = self._shared
        seal = Seal(await token_secret(shared.state, shared.deployment), self._id)
        return pressed(claimed.digits, shared.sync_state, shared.keys.turn_digits(self._id, self._turn), seal)

    def _given(self, record: SessionRecord, claimed: Claim, memory: Sequence[HistoryEntry]) -> Turn:
        return Turn(
            session_id=self._id,
            number=self._turn,
            attempt=self._attempt,
            transcript=claimed.transcript,
            history=tuple(entry for entry in memory if entry.turn != self._turn),
            tenant=record.tenant,
            user_id=record.user_id,
            metadata=record.metadata,
            speculative=claimed.speculative,
        )

    def _limit_s(self, claimed: Claim) -> float:
        """Return the agent's own seconds, and those that it may wait for the caller to finish."""
        return _timeout_s(self._shared) + (SPECULATION_S if claimed.speculative else 0)

    async def _is_wanted(self) -> bool:
        shared = self._shared
        try:
            return await standing(shared.state_wire, self._state) is not Standing.GONE
        except VoiceBackendError:
            return True

    async def _failed(self, reply: AgentReply, code: ErrorCode, error: BaseException) -> bool:
        """Tell the lane that the agent failed; False if nobody waits for its answer any more."""
        if not await self._is_wanted():
            logger.info("agent turn no longer wanted", extra=self._extra)
            return False
        trace = None if code is ErrorCode.TIMEOUT else error.__cause__ or error
        logger.error("agent failed", extra={**self._extra, "code": str(code)}, exc_info=trace)
        message = error.message if isinstance(error, VoiceBackendError) else type(error).__name__
        await reply.failed(code, message)
        return True

"""``agents.turn``: let a session's agent answer what its caller said, text by text into the session's lane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from control import context, loop
from control.agents.alive import alive
from control.agents.hung_threads import hung_threads
from control.agents.lookup import lookup
from control.agents.memory import read_memory
from control.agents.once import OnceInTurn
from control.agents.opening import Opening, open_turn
from control.agents.relay import Relay
from control.agents.reply import AgentReply
from control.agents.runner import texts
from control.agents.turn_state import Attempt, Claim, Standing, Verdict, committed, standing
from control.context import TaskContext
from voicebackend.agents import SPECULATION_S, HistoryEntry, Turn, may_speculate
from voicebackend.errors import ErrorCode, SessionNotActive, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.telemetry import span

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
    with span("agents.turn", session_id=session_id, turn=turn, attempt=attempt):
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
        self._extra = {"session_id": session_id, "turn": turn, "attempt": attempt}

    async def answer(self) -> None:
        """Claim the attempt, run the agent, and say how it ended."""
        shared = self._shared
        await shared.refresh()
        opening = await open_turn(shared.state_wire, shared.keys, self._id, self._state)
        if opening.claim.verdict is not Verdict.WON:
            logger.info("agent turn left alone", extra={**self._extra, "why": str(opening.claim.verdict)})
            return
        record = opening.record
        if record.lane < 0:
            raise SessionNotActive("agents.turn", "the session is in no lane")
        lane = shared.keys.lane(record.lane)
        reply = AgentReply(shared.wire, lane, session=self._id, turn=self._turn, attempt=self._attempt)
        async with alive(shared.state, shared.keys.turn_alive(self._id, self._turn), self._attempt):
            await reply.started()
            await self._speak(opening, reply)

    async def _speak(self, opening: Opening, reply: AgentReply) -> None:
        limit = asyncio.timeout(self._limit_s(opening.claim))
        try:
            async with limit:
                whole = await self._relay(opening, reply)
        except TimeoutError as error:
            code = ErrorCode.TIMEOUT if limit.expired() else ErrorCode.AGENT_ERROR
            await self._failed(reply, code, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the lane must hear of it
            await self._failed(reply, ErrorCode.AGENT_ERROR, error)
        else:
            if whole:
                await reply.done()
            else:
                logger.info("agent turn no longer wanted", extra=self._extra)

    async def _relay(self, opening: Opening, reply: AgentReply) -> bool:
        record, claimed, memory = opening.record, opening.claim, opening.memory
        function = lookup(record.agent)
        if claimed.speculative and not may_speculate(record.agent):
            said = await committed(self._shared.state, self._state)
            if said is None:
                return False
            claimed = replace(claimed, transcript=said, speculative=False)
            memory = await read_memory(self._shared.state, self._shared.keys, self._id)
        given = self._given(record, claimed, memory)
        return await Relay(reply, self._is_wanted).run(texts(function, given))

    def _given(self, record: SessionRecord, claimed: Claim, memory: Sequence[HistoryEntry]) -> Turn:
        shared = self._shared
        return Turn(
            session_id=self._id,
            number=self._turn,
            attempt=self._attempt,
            transcript=claimed.transcript,
            history=tuple(entry for entry in memory if entry.turn != self._turn),
            user_id=record.user_id,
            metadata=record.metadata,
            speculative=claimed.speculative,
            once=OnceInTurn(shared.sync_state, self._state, wait_s=self._limit_s(claimed)),
        )

    def _limit_s(self, claimed: Claim) -> float:
        """Return the agent's own seconds, and those that it may wait for the caller to finish."""
        return _timeout_s(self._shared) + (SPECULATION_S if claimed.speculative else 0)

    async def _is_wanted(self) -> bool:
        shared = self._shared
        try:
            return await standing(shared.state, self._state) is not Standing.GONE
        except VoiceBackendError:
            return True

    async def _failed(self, reply: AgentReply, code: ErrorCode, error: BaseException) -> None:
        if not await self._is_wanted():
            logger.info("agent turn no longer wanted", extra=self._extra)
            return
        trace = None if code is ErrorCode.TIMEOUT else error.__cause__ or error
        logger.error("agent failed", extra={**self._extra, "code": str(code)}, exc_info=trace)
        message = error.message if isinstance(error, VoiceBackendError) else type(error).__name__
        await reply.failed(code, message)

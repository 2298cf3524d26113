"""All callers of one process: opens their sockets, attaches them to their sessions, and sees them out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.access.tokens import Tokens
from control.gateway.caller import Caller, Leave, replaced
from control.gateway.caller_socket import CallerSocket
from control.gateway.handshake import CallerGone, Handshake, offered_token, shake_hands, why_over
from control.gateway.recording import Recordings
from control.gateway.uplink import TooLarge
from control.sessions.log import SessionLogs
from control.sessions.store import SessionStore
from voicebackend.channel import Sender
from voicebackend.errors import PipelineError, SessionLimitExceeded, VoiceBackendError
from voicebackend.events import CLOSE_CODES, SUBPROTOCOL, CloseCode, Ended, Error
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, is_over
from voicebackend.streams import Frame, Kind
from voicebackend.tape import Tape
from voicebackend.tracing import about, attached, inject, span

logger = logging.getLogger(__name__)

READY_S = 5.0
"""Seconds that a caller waits for its session to be ready."""
HEARTBEAT_S = 20.0
"""Seconds between pings; a caller that does not answer is lost."""
HARD_LIMIT = 128 * 1024
"""Bytes beyond which a message is not even read: the socket closes with 1009."""
MAX_GREETING = 2000
"""Sockets that have not yet said who they are, or whose session is not ready; more are turned away."""
CLOSE_S = 3.0
"""Seconds that a close may take."""
WATCH_S = 5.0
"""Seconds between looks for sessions that ended without a word."""
Speaking = Callable[[web.WebSocketResponse], CallerSocket]
Admits = Callable[[SessionRecord], None]
"""Raises a VoiceBackendError if a session is not one for this socket."""


class Gateway:
    """Holds the callers of this process; ``owner`` names its inbox, whose frames go to ``take``."""

    def __init__(
        self,
        *,
        owner: str,
        sender: Sender,
        store: SessionStore,
        logs: SessionLogs,
        tokens: Tokens,
        keys: Keys,
        recordings: Recordings | None = None,
    ) -> None:
        self._owner, self._sender, self._keys = owner, sender, keys
        self._store, self._logs, self._tokens = store, logs, tokens
        self._recordings = recordings
        self._callers: dict[str, Caller] = {}
        self._greeting: set[CallerSocket] = set()
        self._unattended: frozenset[Caller] = frozenset()
        """Callers of whom their session did not know when it was looked at last."""
        self._leaving = False

    def __len__(self) -> int:
        return len(self._callers)

    def __repr__(self) -> str:
        return f"<Gateway [{len(self._callers)} callers]>"

    def take(self, frame: Frame) -> None:
        """Hand a frame from the inbox to its caller, if it is still here."""
        caller = self._callers.get(frame.session)
        if caller is None:
            return
        try:
            caller.take(frame)
        except Exception:  # one caller's trouble is not another's
            logger.exception("frame not taken", extra={"session_id": frame.session, "kind": frame.kind.name})

    async def serve(
        self,
        request: web.Request,
        session_id: str,
        *,
        speaking: Speaking = lambda ws: ws,
        admits: Admits = lambda record: None,
    ) -> web.WebSocketResponse:
        """Hold one caller's socket until the call is over; ``speaking`` makes ours of one with another protocol.

        ``admits`` is asked once the token has proved good, before it is spent.

        Raises:
            InvalidConfig: the client offers only foreign sub-protocols.

        """
        token = offered_token(request)
        ws = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), heartbeat=HEARTBEAT_S, max_msg_size=HARD_LIMIT, compress=False, timeout=CLOSE_S
        )
        transport = request.transport
        await ws.prepare(request)
        try:
            await self.hold(speaking(ws), session_id, token=token, admits=admits)
        finally:
            if transport is not None and transport.get_write_buffer_size():
                transport.abort()  # a caller that does not read would keep the connection for ever
        return ws

    async def hold(
        self,
        socket: CallerSocket,
        session_id: str,
        *,
        token: str | None = None,
        admits: Admits = lambda record: None,
    ) -> None:
        """Hold any caller's socket until the call is over, and close it; if no token is given, it says one itself."""
        self._greeting.add(socket)
        try:
            leave = await self._serve(socket, session_id, token, admits)
        finally:
            self._greeting.discard(socket)
        await _close(socket, leave)

    async def _serve(self, ws: CallerSocket, session_id: str, token: str | None, admits: Admits) -> Leave:
        """Return how the socket is to be closed, whatever happens."""
        if len(self._greeting) > MAX_GREETING:
            error = SessionLimitExceeded("media", "too many callers come at once: try again in a moment")
            return Leave(code=CloseCode.OVERLOADED, error=error)
        try:
            hands = await shake_hands(ws, session_id, token, self._tokens, self._store)
            admits(hands.record)
            with attached(hands.record.traceparent), about(**hands.record.whose):
                return await self._attach(ws, hands)
        except CallerGone:
            return Leave()
        except VoiceBackendError as error:
            return Leave(code=close_code(error), error=error)
        except Exception:
            logger.exception("caller failed", extra={"session_id": session_id})
            return Leave(code=CloseCode.INTERNAL, error=PipelineError("media", "something failed inside"))

    async def _attach(self, ws: CallerSocket, hands: Handshake) -> Leave:
        session, tenant = hands.record.id, hands.record.tenant
        await self._ready(session)
        lane = self._keys.lane((await self._store.get(session, tenant)).lane)
        resume_token = await self._tokens.spend(hands.claims)
        async with self._recorded(hands) as tape:
            return await self._hold(ws, hands, lane, resume_token, tape)

    @asynccontextmanager
    async def _recorded(self, hands: Handshake) -> AsyncIterator[Tape | None]:
        """Give the tape on which this caller is recorded; None if it may not be."""
        recordings = self._recordings
        recorder = None if recordings is None else await recordings.open(hands.record, hands.codec.sample_rate)
        try:
            yield None if recorder is None else recorder.tape
        finally:
            if recordings is not None and recorder is not None:
                recordings.end(recorder)

    async def _hold(self, ws: CallerSocket, hands: Handshake, lane: str, resume_token: str, tape: Tape | None) -> Leave:
        session = hands.record.id
        caller = Caller(
            ws,
            session=session,
            lane=lane,
            inbox=self._owner,
            codec=hands.codec,
            sender=self._sender,
            seal=self._tokens.seal_of(session),
            tape=tape,
        )
        self._enter(caller)
        self._greeting.discard(ws)
        try:
            with span("media.attach"):
                await caller.attach(inject())
            return await self._converse(caller, resume_token)
        finally:
            self._exit(caller)

    async def _converse(self, caller: Caller, resume_token: str) -> Leave:
        """Tell the worker in any case that the socket is gone."""
        leave = Leave()
        try:
            leave = await caller.converse(resume_token)
        finally:
            caller.detach(leave)
        return leave

    async def _ready(self, session: str) -> None:
        record = await self._logs.wait_until(session, {SessionState.READY, SessionState.ACTIVE}, READY_S)
        if is_over(record.state):
            raise why_over(record)

    def _enter(self, caller: Caller) -> None:
        """Put a caller in the place of any that its session had."""
        before = self._callers.get(caller.session)
        if before is not None:
            before.dismiss(replaced())
        self._callers[caller.session] = caller
        if self._leaving:
            caller.dismiss(Leave(code=CloseCode.GOING_AWAY))

    def _exit(self, caller: Caller) -> None:
        if self._callers.get(caller.session) is caller:
            del self._callers[caller.session]

    async def leave(self) -> None:
        """Close every socket with ``going away``: the sessions go on, their callers may come back elsewhere."""
        self._leaving = True
        for caller in list(self._callers.values()):
            caller.dismiss(Leave(code=CloseCode.GOING_AWAY))
        await asyncio.gather(*(_close(ws, Leave(code=CloseCode.GOING_AWAY)) for ws in list(self._greeting)))

    async def watch(self, redis: Redis) -> None:
        """Until cancelled, see by their records what became of callers' sessions; ``redis`` is the ``state`` role."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._look(redis)
            except (RedisError, OSError) as error:
                logger.warning("sessions not watched", extra={"error": type(error).__name__})

    async def _look(self, redis: Redis) -> None:
        """Let go of callers whose session is over; attach those again of whom theirs does not know twice in a row."""
        callers = list(self._callers.values())
        pipe = redis.pipeline(transaction=False)
        for caller in callers:
            pipe.hmget(self._keys.session(caller.session), "state", "reason")
        found: list[Any] = await pipe.execute() if callers else []
        unattended = frozenset(caller for caller, row in zip(callers, found, strict=True) if row[0] == b"ready")
        for caller in unattended & self._unattended:
            logger.warning("attached again", extra={"session_id": caller.session})
            caller.attach_again()
        self._unattended = unattended
        for caller, (state, reason) in zip(callers, found, strict=True):
            if state is None or is_over(SessionState(state.decode())):
                said = Ended(reason=(reason or b"expired").decode()).to_json()
                caller.take(Frame(session=caller.session, kind=Kind.EVENT, payload=said.encode(), epoch=2**64 - 1))


def close_code(error: VoiceBackendError) -> CloseCode:
    """Return the close code that follows an error."""
    if isinstance(error, TooLarge):
        return CloseCode.TOO_LARGE
    return CLOSE_CODES.get(error.code, CloseCode.INTERNAL)


async def _close(ws: CallerSocket, leave: Leave) -> None:
    """Say the error, if there is one, and close; a caller that does not read is not waited for."""
    try:
        async with asyncio.timeout(CLOSE_S + 1):
            if leave.error is not None and not ws.closed:
                await ws.send_str(Error(code=leave.error.code, message=leave.error.message).to_json())
            await ws.close(code=leave.code)
    except (TimeoutError, ConnectionError, RuntimeError):
        logger.info("socket not closed in order", extra={"code": int(leave.code)})
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        # aiohttp waits for a full buffer by a future that was cancelled with who waited first
        logger.info("socket not closed in order", extra={"code": int(leave.code)})

"""One session's life on this worker: opened, attached to its caller, ended, and its slot freed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from enum import StrEnum

from redis.exceptions import RedisError

from voicebackend.config import BackendConfig
from voicebackend.errors import ErrorCode, OperationTimeout, VoiceBackendError
from voicebackend.events import Ended, Error
from voicebackend.interfaces import Pipeline
from voicebackend.record import RESUME_S, SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import EntryId, Frame, Kind
from voicebackend.tasks import SESSIONS_REPORT
from voicebackend.telemetry import attached, error_code, measured, sessions_active, sessions_total, throughput_bytes
from worker.lane import Lane
from worker.link import Attachment, GatewayLink
from worker.opening import open_pipeline
from worker.services import Services
from worker.session_log import SessionLog

logger = logging.getLogger(__name__)

CONNECT_S = 60.0
"""Seconds that a ready session waits for its caller."""
OPEN_S = 20.0
"""Seconds that a pipeline has to open."""
CLOSE_S = 5.0
"""Seconds that a pipeline has to close."""


class Reason(StrEnum):
    """Why a session ended; otherwise the reason is an error code."""

    CLOSED = "closed"
    """Someone closed it."""
    HANGUP = "hangup"
    """The caller went, or stayed away."""
    EXPIRED = "expired"
    """No caller came."""
    SHUTDOWN = "shutdown"
    """The worker was stopped."""


class SessionRunner:
    """Runs one session. ``deliver`` is called by the lane's reader and never waits."""

    def __init__(
        self,
        record: SessionRecord,
        config: BackendConfig,
        lane: Lane,
        services: Services,
        *,
        restored: bytes | None = None,  # noqa: ARG002 - restoring comes
    ) -> None:
        self.record, self._config, self.lane, self._services = record, config, lane, services
        self._link = GatewayLink(record.id, lane, services.sender, services.keys)
        self._log = SessionLog(services.wire, services.keys, record.id)
        self._control: asyncio.Queue[Frame] = asyncio.Queue(1000)
        self._pipeline: Pipeline | None = None
        self._last_seq = 0
        self._last_word = (0, 0)
        """Attachment and number of the last frame from a socket that was no audio."""
        self._reason: str = ""
        self._abandoned = False

    def __repr__(self) -> str:
        return f"<SessionRunner {self.record.id} [lane {self.lane.number}, {self._reason or 'running'}]>"

    def deliver(self, frame: Frame, entry: EntryId) -> None:  # noqa: ARG002 - restoring comes
        """Take a frame from the lane, which stands in this entry."""
        match frame.kind:
            case Kind.AUDIO_IN:
                self._audio(frame)
            case Kind.AGENT_STARTED | Kind.AGENT_DELTA | Kind.AGENT_DONE | Kind.AGENT_FAILED if self._pipeline:
                self._pipeline.agent_frame(frame)
            case Kind.PLAY if self._pipeline:
                self._pipeline.say(frame.payload)
            case Kind.PLAYED if self._pipeline:
                self._played(self._pipeline, frame)
            case Kind.ATTACH | Kind.DETACH | Kind.CLOSE | Kind.HOLD | Kind.DTMF if not self._is_repeat(frame):
                self._queue(frame)
            case _:
                pass

    def _is_repeat(self, frame: Frame) -> bool:
        """Tell whether a socket's word came before: it is sent again when nobody knows whether it arrived."""
        attachment, seq = self._last_word
        if frame.attachment == attachment and 0 < frame.seq <= seq:
            return True
        if frame.seq:
            self._last_word = (frame.attachment, frame.seq)
        return False

    def _queue(self, frame: Frame) -> None:
        if self._control.full():
            self._control.get_nowait()  # the oldest: what was asked last counts
            logger.warning("control frame dropped", extra={"session_id": self.record.id})
        self._control.put_nowait(frame)

    def stop(self, reason: str) -> None:
        """End the session from this process."""
        self._reason = self._reason or reason
        self._queue(Frame(session=self.record.id, kind=Kind.CLOSE))

    @property
    def is_quiet(self) -> bool:
        """Tell whether nobody speaks and nothing is being answered."""
        return True

    def checkpoint(self) -> bytes | None:
        """Return what another worker needs to go on with the session, None if nothing changed since."""
        return None

    async def hand_over(self) -> bytes:
        """Stop without ending, and return the last checkpoint."""
        self.abandon()
        return b""

    async def fail(self, failure: VoiceBackendError) -> None:
        """End the session without having run it: it must not be restored."""
        await self._end(failure)

    def abandon(self) -> None:
        """Before cancelling: another worker holds the lane now, so write nothing more."""
        self._abandoned = True

    async def run(self) -> None:
        """Live until the end; every error ends here."""
        with attached(self.record.traceparent):
            labels = {"provider": self.record.provider}
            sessions_total.add(1, labels)
            sessions_active.add(1, labels)
            failure: VoiceBackendError | None = None
            try:
                failure = await self._live()
            finally:
                sessions_active.add(-1, labels)
                await self._end(failure)

    async def _live(self) -> VoiceBackendError | None:
        record = self.record
        try:
            with measured(
                "session", provider=record.provider, session_id=record.id, pipeline_type=str(record.pipeline_type)
            ):
                await self._open()
                await self._converse()
        except VoiceBackendError as error:
            logger.warning("session failed", extra={"session_id": record.id, "error_code": str(error.code)})
            return error
        except Exception:
            logger.exception("session failed", extra={"session_id": record.id})
            return VoiceBackendError("session")
        return None

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(OPEN_S):
                self._pipeline = await open_pipeline(
                    self.record, self._config, self._services, link=self._link, log=self._log
                )
        except TimeoutError as error:
            raise OperationTimeout("session", "the pipeline did not open in time") from error
        await self._log.session(SessionState.READY)
        await self._report(SessionState.READY)
        logger.info("session ready", extra={"session_id": self.record.id, "lane": self.lane.number})

    async def _converse(self) -> None:
        """Handle what comes until something ends the session."""
        assert self._pipeline is not None  # noqa: S101 - after _open
        ended = asyncio.create_task(self._pipeline.wait(), name=f"pipeline-{self.record.id}")
        try:
            wait_s: float | None = CONNECT_S
            while not self._reason:
                wait_s = await self._next(self._pipeline, ended, wait_s)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _next(self, pipeline: Pipeline, ended: asyncio.Task[str], wait_s: float | None) -> float | None:
        """Handle one control frame; return how long to wait for the next, None for ever."""
        getting = asyncio.create_task(self._control.get(), name="control")
        try:
            done, _ = await asyncio.wait({getting, ended}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not getting.done():
                getting.cancel()
        if getting in done:
            return await self._handle(pipeline, getting.result(), wait_s)
        if ended in done:
            self._reason = ended.result()
        else:
            self._reason = Reason.EXPIRED if wait_s == CONNECT_S else Reason.HANGUP
        return None

    async def _handle(self, pipeline: Pipeline, frame: Frame, wait_s: float | None) -> float | None:
        match frame.kind:
            case Kind.ATTACH:
                await self._attach(pipeline, frame)
                return None
            case Kind.DETACH:
                return await self._detach(pipeline, frame, wait_s)
            case Kind.CLOSE:
                self._reason = self._reason or str(frame.json().get("reason") or Reason.CLOSED)
            case Kind.HOLD if self._is_attached(frame):
                pipeline.hold(bool(frame.json().get("on")))
            case Kind.DTMF if self._is_attached(frame):
                digit = str(frame.json().get("digit", ""))
                await self._note(self._log.append({"type": "dtmf", "digit": digit}))
                pipeline.dtmf(digit)
            case _:
                pass
        return wait_s

    async def _attach(self, pipeline: Pipeline, frame: Frame) -> None:
        told = frame.json()
        first = self._link.attachment is None
        self._link.attach(
            Attachment(id=frame.attachment, inbox=str(told["inbox"]), sample_rate=int(told["sample_rate"]))
        )
        self._last_seq = 0
        pipeline.greet()
        if first:
            await self._note(self._log.session(SessionState.ACTIVE))
            await self._report(SessionState.ACTIVE)

    async def _detach(self, pipeline: Pipeline, frame: Frame, wait_s: float | None) -> float | None:
        told = frame.json()
        if not self._is_attached(frame):
            return wait_s  # a socket that another has replaced
        pipeline.left()
        self._link.attachment = None
        if told.get("stopped"):
            self._reason = Reason.HANGUP
            return wait_s
        await self._note(self._log.session(SessionState.READY))
        await self._report(SessionState.READY)
        return RESUME_S

    async def _note(self, writing: Awaitable[None]) -> None:
        """Write to the log if that is possible now: a Redis that is away for a moment does not end a call."""
        try:
            await writing
        except VoiceBackendError as error:
            logger.warning("log not written", extra={"session_id": self.record.id, "error_code": str(error.code)})

    def _is_attached(self, frame: Frame) -> bool:
        """Tell whether a frame comes from the socket that holds the call now."""
        return self._link.attachment is not None and self._link.attachment.id == frame.attachment

    def _played(self, pipeline: Pipeline, frame: Frame) -> None:
        if self._is_attached(frame):
            told = frame.json()
            pipeline.played(frame.turn, float(told.get("ms", 0)), final=bool(told.get("final")))

    def _audio(self, frame: Frame) -> None:
        if self._pipeline is None or frame.seq <= self._last_seq or not self._is_attached(frame):
            return  # a repeat, or from a socket that another has replaced
        self._last_seq = frame.seq
        throughput_bytes.add(len(frame.payload), {"direction": "in"})
        self._pipeline.push(frame.payload)

    async def _end(self, failure: VoiceBackendError | None) -> None:
        if self._pipeline is not None:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._pipeline.aclose()
            except Exception:
                logger.exception("pipeline did not close", extra={"session_id": self.record.id})
        if self._abandoned:
            return
        reason = str(failure.code) if failure else self._reason or str(ErrorCode.CONTEXT_CANCELED)
        if failure is not None:
            self._link.event(Error(code=failure.code, message=failure.message))
        self._link.event(Ended(reason=reason))
        state = SessionState.FAILED if failure else SessionState.ENDED
        await self._close_books(state, reason)
        logger.info("session ended", extra={"session_id": self.record.id, "reason": reason})

    async def _close_books(self, state: SessionState, reason: str) -> None:
        """Free the slot, then tell; a Redis that is not there now is for the reaper to mend."""
        keys = self._services.keys
        try:
            await self._services.state.srem(keys.lane_sessions(self.lane.number), self.record.id)
            await self._log.session(state, reason=reason)
            await self._log.event(Ended(reason=reason))
            await self._report(state, reason)
        except (VoiceBackendError, RedisError, OSError) as error:
            logger.warning("end not written", extra={"session_id": self.record.id, "error_code": error_code(error)})

    async def _report(self, state: SessionState, reason: str = "") -> None:
        try:
            await self._services.publisher.publish(
                SESSIONS_REPORT, session_id=self.record.id, state=str(state), epoch=self.lane.epoch, reason=reason
            )
        except VoiceBackendError:
            logger.warning("state not reported", extra={"session_id": self.record.id, "state": str(state)})

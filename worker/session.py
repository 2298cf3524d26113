"""One session's life on this worker: opened or taken over, attached to its caller, ended or handed over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from voicebackend.config import BackendConfig
from voicebackend.errors import ErrorCode, OperationTimeout, VoiceBackendError
from voicebackend.events import Ended, Error
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import EntryId, Frame, Kind
from voicebackend.telemetry import attached, measured, sessions_active, sessions_total
from worker.books import Books
from worker.caller import CONNECT_S, Caller, Reason
from worker.checkpoint import AttachmentSnapshot, SessionSnapshot, decode, encode
from worker.lane import Lane
from worker.lane_frames import LaneFrames
from worker.link import Attachment, GatewayLink
from worker.opening import open_pipeline
from worker.pipelines.own import Resumable
from worker.recovery import recovered
from worker.services import Services
from worker.session_log import SessionLog

logger = logging.getLogger(__name__)

OPEN_S = 20.0
"""Seconds that a pipeline has to open."""
CLOSE_S = 5.0
"""Seconds that a pipeline has to close."""
_START = EntryId()


class SessionRunner:
    """Runs one session. ``deliver`` is called by the lane's reader and never waits."""

    def __init__(
        self,
        record: SessionRecord,
        config: BackendConfig,
        lane: Lane,
        services: Services,
        *,
        restored: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """With ``restored``, another worker's checkpoint, go on where that was; ``clock`` gives wall-clock seconds.

        Raises:
            InvalidFormat: that is no checkpoint.

        """
        self.record, self._config, self.lane, self._services = record, config, lane, services
        self._link = GatewayLink(record.id, lane, services.sender, services.keys)
        self._log = SessionLog(services.wire, services.keys, record.id)
        self._books = Books(record.id, self._log, services, lane)
        self._restored, self._taken = None if restored is None else decode(restored), restored
        if self._restored is not None and (at := self._restored.attachment) is not None:
            self._link.attach(Attachment(id=at.id, inbox=at.inbox, sample_rate=at.sample_rate))
        self._frames = LaneFrames(self._link, self._restored)
        self._opened: Resumable | None = None
        self._pipeline: Resumable | None = None
        """What was opened, once it is where the one before was."""
        self.settled = asyncio.Event()
        """Set once it goes on here, or has ended."""
        self._now = asyncio.get_running_loop().time
        self._clock_ms = round((clock() - self._now()) * 1000, 1)
        self._due = partial(lane.due, record.id)
        self._caller = Caller(self._link, self._frames, self._log, self._books, self._due)
        self._reason: str = ""
        self._abandoned = False
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<SessionRunner {self.record.id} [lane {self.lane.number}, {self._reason or 'running'}]>"

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks and nothing is being answered: a good moment to move."""
        return self._pipeline is not None and self._pipeline.is_quiet and self._frames.is_idle

    @property
    def state(self) -> SessionState:
        """Where it stands in its life: ``ending`` as soon as it will not go on here."""
        if self._reason or self._abandoned:
            return SessionState.ENDING
        if self._pipeline is None and self._restored is None:
            return SessionState.STARTING
        return SessionState.READY if self._link.attachment is None else SessionState.ACTIVE

    @property
    def attachment(self) -> Attachment | None:
        """The caller's socket, if there is one."""
        return self._link.attachment

    def deliver(self, frame: Frame, entry: EntryId = _START) -> None:
        """Take a frame from the lane; of a restored session, what the worker before had handled is left out."""
        self._frames.deliver(frame, entry)

    def stop(self, reason: str) -> None:
        """End the session from this process."""
        self._reason = self._reason or reason
        self._frames.queue(Frame(session=self.record.id, kind=Kind.CLOSE))

    def abandon(self) -> None:
        """Before cancelling: another worker holds the lane now, so write nothing more."""
        self._abandoned = True
        self._link.attachment = None

    def checkpoint(self) -> bytes | None:
        """Return what another worker needs to go on, if that has changed; None if not, or if there is nothing yet."""
        if self._pipeline is None or self._reason or self._abandoned:
            return None
        taken = encode(self._snapshot(self._pipeline))
        if taken == self._taken:
            return None
        self._taken = taken
        return taken

    async def hand_over(self) -> bytes:
        """Stop without ending, for another worker to go on; return the last checkpoint, empty before the first.

        Nothing is written or sent after it was taken.
        """
        self.checkpoint()
        self.abandon()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return self._taken or b""

    async def fail(self, failure: VoiceBackendError) -> None:
        """End the session without having run it."""
        await self._end(failure)

    async def run(self) -> None:
        """Live until the end; every error ends here."""
        self._task = asyncio.current_task()
        with attached(self.record.traceparent):
            labels = {"provider": self.record.provider}
            sessions_total.add(1, labels)
            sessions_active.add(1, labels)
            failure: VoiceBackendError | None = None
            try:
                failure = await self._live()
            finally:
                self.settled.set()
                sessions_active.add(-1, labels)
                await self._end(failure)

    async def _live(self) -> VoiceBackendError | None:
        record = self.record
        try:
            with measured(
                "session", provider=record.provider, session_id=record.id, pipeline_type=str(record.pipeline_type)
            ):
                if self._restored is None:
                    await self._open()
                else:
                    await self._restore(self._restored)
                self.settled.set()
                await self._converse()
        except VoiceBackendError as error:
            logger.warning("session failed", extra={"session_id": record.id, "error_code": str(error.code)})
            return error
        except Exception:
            logger.exception("session failed", extra={"session_id": record.id})
            return VoiceBackendError("session")
        return None

    # ------------------------------------------------------------ opening

    async def _open(self) -> None:
        pipeline = self._opened = await self._open_pipeline(None)
        await self._books.ready()
        self._begin(pipeline)
        self._frames.begin(pipeline)
        self._caller.deadline = self._now() + CONNECT_S
        logger.info("session ready", extra={"session_id": self.record.id, "lane": self.lane.number})

    async def _open_pipeline(self, restored: SessionSnapshot | None) -> Resumable:
        try:
            async with asyncio.timeout(OPEN_S):
                return await open_pipeline(
                    self.record,
                    self._config,
                    self._services,
                    link=self._link,
                    log=self._log,
                    restored=None if restored is None else restored.dialogue,
                )
        except TimeoutError as error:
            raise OperationTimeout("session", "the pipeline did not open in time") from error

    def _begin(self, pipeline: Resumable) -> None:
        self._pipeline = pipeline
        pipeline.on_progress, pipeline.place_of = self._due, self._place_of
        self._due()

    async def _restore(self, taken: SessionSnapshot) -> None:
        """Go on where another worker was."""
        self._link.adopt()
        snapshot = await self._recovered(taken)
        self._caller.deadline = snapshot.deadline
        self._frames.skip_audio(snapshot.audio_seq)
        pipeline = self._opened = await self._open_pipeline(snapshot)
        standing = await self._frames.standing()
        if snapshot.dialogue is not None:
            pipeline.resume(snapshot.dialogue, standing)
        self._begin(pipeline)
        if snapshot.dialogue is not None and snapshot.dialogue.answer is not None:
            await self.lane.secure(self.record.id)  # the next one cannot tell our audio from the one's before
        self._frames.begin(pipeline)
        pipeline.heard_again()
        extra = {"session_id": self.record.id, "lane": self.lane.number, "told": standing is not None}
        logger.info("session restored", extra=extra)

    async def _recovered(self, taken: SessionSnapshot) -> SessionSnapshot:
        """Return the checkpoint on our clock, with what the log and the turn's hash know beyond it."""
        snapshot = taken.shifted((taken.clock_ms - self._clock_ms) / 1000)
        services = self._services
        turn_key = partial(services.keys.turn, self.record.id)
        return await recovered(snapshot, self._log, services.wire, turn_key, now=self._now())

    def _snapshot(self, pipeline: Resumable) -> SessionSnapshot:
        dialogue = pipeline.snapshot()
        replay_from, audio_seq = self._frames.place(dialogue.ear.first)
        at = self._link.attachment
        return SessionSnapshot(
            version=1,
            position=self._frames.position,
            replay_from=replay_from,
            clock_ms=self._clock_ms,
            log_position=self._log.position,
            attachment=None if at is None else AttachmentSnapshot(id=at.id, inbox=at.inbox, sample_rate=at.sample_rate),
            audio_seq=audio_seq,
            heard_seq=self._frames.heard_seq,
            deadline=self._caller.deadline and round(self._caller.deadline, 2),
            frames=self._frames.waiting(),
            dialogue=dialogue,
        )

    def _place_of(self, number: int) -> dict[str, int]:
        """Return what the log is to say of how far the caller was heard."""
        at = self._link.attachment
        return {} if at is None or not number else {"attachment": at.id, "audio_seq": self._frames.place(number)[1] + 1}

    # ------------------------------------------------------------ the call

    async def _converse(self) -> None:
        """Handle what comes until something ends the session."""
        assert self._pipeline is not None  # noqa: S101 - after _open
        ended = asyncio.create_task(self._pipeline.wait(), name=f"pipeline-{self.record.id}")
        try:
            while not self._reason:
                await self._next(self._pipeline, ended)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    async def _next(self, pipeline: Resumable, ended: asyncio.Task[str]) -> None:
        """Handle one control frame, or the end."""
        getting = asyncio.create_task(self._frames.control(), name="control")
        wait_s = None if self._caller.deadline is None else max(0.0, self._caller.deadline - self._now())
        try:
            done, _ = await asyncio.wait({getting, ended}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not getting.done():
                getting.cancel()
        if getting in done:
            self._frames.handling()
            reason = await self._caller.handle(pipeline, getting.result())
            self._reason = self._reason or reason
        elif ended in done:
            self._reason = ended.result()
        else:
            self._reason = Reason.HANGUP if pipeline.greeted else Reason.EXPIRED

    # ------------------------------------------------------------ the end

    async def _end(self, failure: VoiceBackendError | None) -> None:
        reason = self._reason = str(failure.code) if failure else self._reason or str(ErrorCode.CONTEXT_CANCELED)
        if self._opened is not None:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await (self._opened.abandon() if self._abandoned else self._opened.aclose())
            except Exception:
                logger.exception("pipeline did not close", extra={"session_id": self.record.id})
        if self._abandoned:
            return
        if failure is not None:
            self._link.event(Error(code=failure.code, message=failure.message))
        self._link.event(Ended(reason=reason))
        await self._books.close(SessionState.FAILED if failure else SessionState.ENDED, reason)
        logger.info("session ended", extra={"session_id": self.record.id, "reason": reason})

"""One session's life on this worker: opened or taken over, attached to its caller, ended or handed over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from opentelemetry.trace import SpanKind

from providers.failover.closings import Closings
from voicebackend.config import BackendConfig
from voicebackend.errors import ErrorCode, VoiceBackendError
from voicebackend.events import Ended, Error
from voicebackend.record import RESUME_S, SessionRecord
from voicebackend.sealing import Seal
from voicebackend.session import SessionState
from voicebackend.streams import EntryId, Frame, Kind
from voicebackend.telemetry import measured
from worker.books import Books
from worker.caller import CONNECT_S, Caller, Reason
from worker.checkpoint import SessionSnapshot, decode, encode
from worker.lane import Lane
from worker.lane_frames import LaneFrames
from worker.link import Attachment, GatewayLink
from worker.opening import open_pipeline
from worker.pipelines.own import Resumable
from worker.services import Services
from worker.session_log import SessionLog
from worker.session_room import SessionRoom
from worker.session_trace import is_ready, traced
from worker.snapshots import Snapshots
from worker.swap import Running, Swap

logger = logging.getLogger(__name__)

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
        self._log = SessionLog(services.wire, services.keys, record.id, lane)
        self._books = Books(record.id, self._log, services, lane)
        self._room = SessionRoom(record, config, lane, services, self._link)
        self._restored, self._taken = None if restored is None else decode(restored), restored
        if self._restored is not None and (at := self._restored.attachment) is not None:
            self._link.attach(Attachment.of(at))
        self._frames = LaneFrames(self._link, self._restored)
        self._opened: Resumable | None = None
        self._pipeline: Resumable | None = None
        """What was opened, once it is where the one before was."""
        self.settled = asyncio.Event()
        """Set once it goes on here, or has ended."""
        self._now = asyncio.get_running_loop().time
        self._due = partial(lane.due, record.id)
        seal = Seal(services.secret, record.id)
        self._caller = Caller(self._link, self._frames, self._log, self._books, self._due, seal=seal)
        self._snapshots = Snapshots(
            record.id, services, self._link, frames=self._frames, log=self._log, caller=self._caller, clock=clock
        )
        self._closings = Closings()
        common = services, lane, self._link, self._log, self._frames, self._snapshots
        self._swap = Swap(Running(*common, self._begin, self._closings), config)
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
        if self._opened is None and self._restored is None:
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
        taken = encode(self._snapshots.take(self._pipeline))
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
        with traced(self.record):
            failure: VoiceBackendError | None = None
            try:
                failure = await self._live()
            finally:
                self.settled.set()
                await self._end(failure)

    async def _live(self) -> VoiceBackendError | None:
        record = self.record
        try:
            with measured("session", provider=record.provider, kind=SpanKind.CONSUMER):
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
        await self._room.open()
        await self._books.ready()
        self._begin(pipeline)
        self._frames.begin(pipeline)
        self._caller.deadline = self._now() + CONNECT_S
        is_ready(self.record)
        logger.info("session ready", extra={"session_id": self.record.id, "lane": self.lane.number})

    async def _open_pipeline(self, restored: SessionSnapshot | None) -> Resumable:
        dialogue = None if restored is None else restored.dialogue

        def opening(record: SessionRecord) -> Awaitable[Resumable]:
            return open_pipeline(
                record, self._config, self._services,
                link=self._link, log=self._log, closings=self._closings, restored=dialogue,
            )  # fmt: skip

        self.record, pipeline = await self._swap.opened(self.record, opening)
        return pipeline

    def _begin(self, pipeline: Resumable | None) -> None:
        """Run this pipeline; None between two of them, while no checkpoint is taken."""
        self._pipeline = pipeline
        if pipeline is None:
            return
        self._opened = pipeline
        self._snapshots.serve(pipeline, self._due)
        self._due()

    async def _restore(self, taken: SessionSnapshot) -> None:
        """Go on where another worker was."""
        self._link.adopt()
        snapshot = await self._snapshots.recovered(taken)
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
        if (at := self._link.attachment) is not None and not at.inbox:
            pipeline.left()  # with the room of the one before; ours is another stay
            self._caller.deadline = self._now() + RESUME_S
        await self._room.open()
        extra = {"session_id": self.record.id, "lane": self.lane.number, "told": standing is not None}
        logger.info("session restored", extra=extra)

    # ------------------------------------------------------------ the call

    async def _converse(self) -> None:
        """Handle what comes until something ends the session."""
        while not self._reason:
            pipeline = self._pipeline
            assert pipeline is not None  # noqa: S101 - after _open, and after each swap
            ended = asyncio.create_task(self._room.ended(pipeline), name=f"pipeline-{self.record.id}")
            try:
                while not self._reason and self._pipeline is pipeline:
                    await self._next(pipeline, ended)
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
            await self._handle(pipeline, getting.result())
        elif ended in done:
            try:
                self._reason = ended.result()
            except VoiceBackendError as failure:
                self.record = await self._swap.failed(self.record, pipeline, failure)
        else:
            self._reason = Reason.HANGUP if pipeline.greeted else Reason.EXPIRED

    async def _handle(self, pipeline: Resumable, frame: Frame) -> None:
        if frame.kind is Kind.SWAP:
            self.record = await self._swap.asked(self.record, pipeline, frame)
        else:
            reason = await self._caller.handle(pipeline, frame)
            self._reason = self._reason or reason

    # ------------------------------------------------------------ the end

    async def _end(self, failure: VoiceBackendError | None) -> None:
        reason = self._reason = str(failure.code) if failure else self._reason or str(ErrorCode.CONTEXT_CANCELED)
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._opened is not None:
                    await (self._opened.abandon() if self._abandoned else self._opened.aclose())
                await self._closings.wait()
        except Exception:
            logger.exception("pipeline did not close", extra={"session_id": self.record.id})
        if self._abandoned:
            await self._room.aclose(over=False)
            return
        if failure is not None:
            self._link.event(Error(code=failure.code, message=failure.message))
        self._link.event(Ended(reason=reason))
        await self._room.aclose(over=True)
        await self._books.close(SessionState.FAILED if failure else SessionState.ENDED, reason)
        logger.info("session ended", extra={"session_id": self.record.id, "reason": reason})

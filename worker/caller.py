"""A session's caller, as the lane tells: there, on hold, gone, or never there; and when the session ends of that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum

from voicebackend.errors import InvalidFormat
from voicebackend.record import RESUME_S
from voicebackend.sealing import Seal
from voicebackend.session import SessionState
from voicebackend.streams import Frame, Kind
from voicebackend.telemetry import keys_pressed
from worker.books import Books
from worker.lane_frames import LaneFrames
from worker.link import Attachment, GatewayLink
from worker.pipelines.own import Resumable
from worker.session_log import SessionLog

logger = logging.getLogger(__name__)

CONNECT_S = 60.0
"""Seconds that a ready session waits for its caller."""


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


class Caller:
    """One session's."""

    def __init__(
        self,
        link: GatewayLink,
        frames: LaneFrames,
        log: SessionLog,
        books: Books,
        on_progress: Callable[[], None],
        *,
        seal: Seal,
    ) -> None:
        self._link, self._frames, self._log, self._books = link, frames, log, books
        self._on_progress, self._seal, self._now = on_progress, seal, asyncio.get_running_loop().time
        self.deadline: float | None = self._now() + CONNECT_S
        """When the session ends if no caller comes, in seconds of the loop's clock; None while one is there."""

    async def handle(self, pipeline: Resumable, frame: Frame) -> str:
        """Do as a control frame says; return why the session ends with it, or nothing."""
        match frame.kind:
            case Kind.ATTACH:
                await self._attach(pipeline, frame)
            case Kind.DETACH if self._frames.is_attached(frame):  # else another socket has replaced that one
                return await self._detach(pipeline, stopped=bool(frame.json().get("stopped")))
            case Kind.CLOSE:
                return str(frame.json().get("reason") or Reason.CLOSED) if frame.payload else Reason.CLOSED
            case Kind.HOLD if self._frames.is_attached(frame):
                pipeline.hold(bool(frame.json().get("on")))
                self._on_progress()
            case Kind.DTMF if self._frames.is_attached(frame):
                await self._pressed(pipeline, frame)
            case _:
                pass
        return ""

    async def _pressed(self, pipeline: Resumable, frame: Frame) -> None:
        """Take a key; of one that came in sensitive mode, the log hears nothing."""
        told = frame.json()
        try:
            digit = self._seal.open(str(told["sealed"])) if "sealed" in told else str(told.get("digit", ""))
        except InvalidFormat:
            logger.exception("a key was not readable: do all processes have the same VOICEBACKEND_TOKEN_SECRET?")
            return
        masked = bool(told.get("masked"))
        keys_pressed.add(1, {"masked": masked or pipeline.masked})
        if not (masked or pipeline.masked):
            await self._books.note(self._log.append({"type": "dtmf", "digit": digit}))
        if pipeline.masked or not masked:  # else it came too late for what it was meant for
            pipeline.dtmf(digit)

    async def _attach(self, pipeline: Resumable, frame: Frame) -> None:
        if self._frames.is_attached(frame):
            return  # a gateway tells again when it seems that this was lost
        told = frame.json()
        first = self._link.attachment is None
        self._link.attach(
            Attachment(id=frame.attachment, inbox=str(told["inbox"]), sample_rate=int(told["sample_rate"]))
        )
        self._frames.attached()
        self.deadline = None
        pipeline.greet()
        self._on_progress()
        if first:
            await self._books.state(SessionState.ACTIVE)

    async def _detach(self, pipeline: Resumable, *, stopped: bool) -> str:
        pipeline.left()
        self._link.attachment = None
        if stopped:
            return Reason.HANGUP
        self.deadline = self._now() + RESUME_S
        self._on_progress()
        await self._books.state(SessionState.READY)
        return ""

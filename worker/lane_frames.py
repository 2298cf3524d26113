"""What the lane brings to one session, without repeats and what another worker had handled; and where audio lies."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from voicebackend.streams import EntryId, Frame, Kind, decode_bundle, encode_bundle, json_payload
from voicebackend.telemetry import count_audio
from worker.checkpoint import SessionSnapshot
from worker.heard_audio import HeardAudio
from worker.link import GatewayLink
from worker.marks import Marks
from worker.pipelines.own import Resumable
from worker.pipelines.snapshot import Standing
from worker.pipelines.waiting_queue import WaitingQueue

logger = logging.getLogger(__name__)

MAX_CONTROL = 1000
"""Control frames that wait at most."""
MAX_CARRIED = 32
"""Of them, that another worker is given."""
MAX_EARLY = 20_000
"""Frames that wait for a restored pipeline at most: all that a lane keeps, and more."""

ON_THE_WAY_MS = 300.0
"""Of what a room counted as heard, that may have been lost on its way when its worker went: rather twice than never."""
ADOPT_S = 2.0
"""Seconds that a gateway has to tell how far playout is; then what the checkpoint has as sent counts as received."""


class LaneFrames:
    """One session's; ``deliver`` never waits. Frames wait for a pipeline that is being restored or swapped in."""

    def __init__(self, link: GatewayLink, restored: SessionSnapshot | None) -> None:
        self._link = link
        self._pipeline: Resumable | None = None
        self._control: WaitingQueue[Frame] = WaitingQueue(MAX_CONTROL)
        self._handling: Frame | None = None
        self._early: list[tuple[Frame, EntryId]] | None = None if restored is None else []
        self._awaited = 0
        """The socket whose ``ATTACH`` waits to be handled."""
        self._ahead: deque[tuple[Frame, EntryId]] = deque(maxlen=MAX_EARLY)
        """Its audio."""
        self._marks, self._audio_heard = Marks(), HeardAudio(lambda: 0)
        self._last_word = (0, 0)
        """Attachment and number of the last frame from a socket that was no audio."""
        self.position = self._handled = EntryId()
        self._last_seq = self._heard_seq = 0
        self._replay_from: EntryId | None = None
        """Of a restored session, until the first audio that it hears again."""
        self._standing: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        """What the gateway tells of its playout, when it is asked."""
        self.heard = (0, 0.0)
        """The turn of which it was last told how much was heard, and the milliseconds."""
        if restored is not None:
            self._restore(restored)

    def _restore(self, restored: SessionSnapshot) -> None:
        self.position = self._handled = restored.position
        self._replay_from = restored.replay_from
        self._last_seq, self._heard_seq = restored.audio_seq, restored.heard_seq
        if restored.attachment is not None and not restored.attachment.inbox:
            self.heard = turn, ms = restored.attachment.heard
            heard_ms = max(0.0, ms - ON_THE_WAY_MS)
            self._standing.set_result(Standing(turn=turn, received_ms=heard_ms, played_ms=heard_ms, paused=False))
        for frame in decode_bundle(restored.frames) if restored.frames else []:
            self._control.put_nowait(frame)
            self._awaited = frame.attachment if frame.kind is Kind.ATTACH else self._awaited

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be handled."""
        return self._control.empty() and self._handling is None

    def deliver(self, frame: Frame, entry: EntryId) -> None:
        """Take a frame."""
        if frame.kind is Kind.AUDIO_IN and self._early is None:  # fifty times a second, so by the shortest way
            self._audio(frame, entry)
        elif frame.kind is Kind.PLAYOUT:
            self._told(frame)
        elif self._early is None:
            self._take(frame, entry)
        elif len(self._early) < MAX_EARLY:
            self._early.append((frame, entry))

    def begin(self, pipeline: Resumable) -> None:
        """Give the pipeline its frames from now on, and first those that waited for it."""
        self._pipeline = pipeline
        self._audio_heard = HeardAudio(lambda: pipeline.needs_from)
        self._take_early()

    def hold(self) -> None:
        """Let frames wait from now on, until ``swap``: none may reach a pipeline of which a snapshot was taken."""
        self._early = []

    def swap(self, pipeline: Resumable, seq: int) -> None:
        """Give another pipeline its frames: the caller's audio behind this number again, what waited, and the rest."""
        at = self._link.attachment
        again = self._audio_heard.after(0 if at is None else at.id, seq)
        self._pipeline, self._marks = pipeline, Marks()
        self._audio_heard = HeardAudio(lambda: pipeline.needs_from)
        for frame, entry in again:
            self._hear(pipeline, frame, entry, again=True)
        self._take_early()

    def _take_early(self) -> None:
        early, self._early = self._early, None
        for frame, entry in early or ():
            self._take(frame, entry)

    async def control(self) -> Frame:
        """Return the next frame that is to be handled in its turn; ``handling`` follows."""
        self._handling = await self._control.get()
        return self._handling

    def handling(self) -> None:
        """Note that the frame's effect is there."""
        self._handling = None

    async def standing(self) -> Standing | None:
        """Return what the gateway tells of its playout, if it tells in time."""
        if self._link.attachment is not None:
            await asyncio.wait({self._standing}, timeout=ADOPT_S)
        return self._standing.result() if self._standing.done() else None

    def queue(self, frame: Frame) -> None:
        """Have a frame handled in its turn."""
        if self._control.full():
            self._control.get_nowait()  # the oldest: what was asked last counts
            logger.warning("control frame dropped", extra={"session_id": frame.session})
        self._control.put_nowait(frame)

    def attached(self) -> None:
        """Audio comes from another socket, numbered anew."""
        self._last_seq = self._heard_seq = 0
        if self._link.attachment is not None and self._link.attachment.id == self._awaited:
            self._awaited = 0
        ahead, self._ahead = self._ahead, deque(maxlen=MAX_EARLY)
        for frame, entry in ahead:
            self._audio(frame, entry)

    def is_attached(self, frame: Frame) -> bool:
        """Tell whether a frame comes from the socket that holds the call now."""
        at = self._link.attachment
        return at is not None and at.id == frame.attachment

    def waiting(self) -> bytes:
        """Return a bundle of what waits to be handled."""
        frames = [*([self._handling] if self._handling else ()), *self._control.waiting()]
        return encode_bundle(frames[-MAX_CARRIED:]) if frames else b""

    def place(self, number: int) -> tuple[EntryId, int]:
        """Return the entry in which a numbered frame of audio lies, or the next will, and the number before its own."""
        if (mark := self._marks.of(number)) is not None:
            return mark.entry, mark.seq - 1
        following = self._ahead[0][1] if self._ahead else self.position
        return (following if self._replay_from is None else self._replay_from), self._last_seq

    def entry_of(self, number: int) -> EntryId | None:
        """Return the entry in which a numbered frame of audio lies, if that is known."""
        mark = self._marks.of(number)
        return None if mark is None else mark.entry

    @property
    def heard_seq(self) -> int:
        """The last number of audio that was taken."""
        return self._last_seq

    def skip_audio(self, seq: int) -> None:
        """Leave out audio up to this number."""
        self._last_seq = max(self._last_seq, seq)

    def _take(self, frame: Frame, entry: EntryId) -> None:
        if frame.kind is Kind.AUDIO_IN:
            self._audio(frame, entry)
            return
        handled = entry <= self._handled and entry > EntryId()
        self.position = max(self.position, entry)
        pipeline = self._pipeline
        match frame.kind:
            case _ if handled:
                pass
            case Kind.ATTACH | Kind.DETACH | Kind.CLOSE | Kind.HOLD | Kind.DTMF | Kind.SWAP if not self._is_repeat(
                frame
            ):
                if frame.kind is Kind.ATTACH and not self.is_attached(frame):
                    self._awaited = frame.attachment
                self.queue(self._marked(frame))
            case Kind.AGENT_STARTED | Kind.AGENT_DELTA | Kind.AGENT_DONE | Kind.AGENT_FAILED | Kind.AGENT_COLLECT if (
                pipeline
            ):
                pipeline.agent_frame(frame)
            case Kind.PLAY if pipeline:
                pipeline.say(frame.payload)
            case Kind.SAY if pipeline:
                told = frame.json()
                pipeline.announce(str(told.get("text", "")), end=str(told.get("end", "")))
            case Kind.TEXT if pipeline:
                pipeline.typed(frame.payload.decode("utf-8", "replace"))
            case Kind.PLAYED if pipeline and self.is_attached(frame):
                told = frame.json()
                self.heard = frame.turn, float(told.get("ms", 0))
                pipeline.played(*self.heard, final=bool(told.get("final")))
            case _:
                pass

    def _marked(self, frame: Frame) -> Frame:
        """Return a key with a mark if it came in sensitive mode: that may be over when it is handled."""
        if frame.kind is not Kind.DTMF or self._pipeline is None or not self._pipeline.masked:
            return frame
        return frame._replace(payload=json_payload({**frame.json(), "masked": True}))

    def _audio(self, frame: Frame, entry: EntryId) -> None:
        self.position = max(self.position, entry)
        if not self.is_attached(frame):
            if frame.attachment == self._awaited != 0:
                self._ahead.append((frame, entry))
            return  # or from a socket that another has replaced
        if self._pipeline is None or frame.seq <= self._last_seq:
            return  # a repeat
        self._last_seq, self._replay_from = frame.seq, None
        count_audio(len(frame.payload), "in", frame.session)
        self._hear(self._pipeline, frame, entry, again=frame.seq <= self._heard_seq and entry <= self._handled)

    def _hear(self, pipeline: Resumable, frame: Frame, entry: EntryId, *, again: bool) -> None:
        self._marks.note(entry, frame.seq)
        self._audio_heard.note(frame, entry)
        pipeline.push(frame.payload, again=again)

    def _is_repeat(self, frame: Frame) -> bool:
        """Tell whether a socket's word came before: it is sent again when nobody knows whether it arrived."""
        attachment, seq = self._last_word
        if frame.attachment == attachment and 0 < frame.seq <= seq:
            return True
        if frame.seq:
            self._last_word = (frame.attachment, frame.seq)
        return False

    def _told(self, frame: Frame) -> None:
        if self._standing.done() or not self.is_attached(frame) or frame.epoch != self._link.adopted:
            return  # what an earlier holder of the lane had asked for is read again
        told = frame.json()
        standing = Standing(
            turn=int(told.get("turn", 0)),
            received_ms=float(told.get("received_ms", 0.0)),
            played_ms=float(told.get("played_ms", 0.0)),
            paused=bool(told.get("paused")),
        )
        self._standing.set_result(standing)

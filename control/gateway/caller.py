"""One caller that is attached to its session: its audio in, agent audio and events out, until either side ends."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import WSMsgType

from control.gateway.caller_socket import CallerSocket, gathers_s, stands_still
from control.gateway.downlink import Downlink
from control.gateway.fence import Fence
from control.gateway.handshake import CallerGone, ClientMessage, understood
from control.gateway.uplink import FLUSH_S, Uplink
from control.gateway.writer import Writer
from voicebackend.bell import Bell
from voicebackend.channel import Sender
from voicebackend.codecs import Codec
from voicebackend.digits import Sealing
from voicebackend.errors import (
    ConnectionTimeout,
    InvalidFormat,
    RateLimitExceeded,
    SessionAlreadyActive,
    VoiceBackendError,
)
from voicebackend.events import CloseCode, Dtmf, Ended, Hold, Played, Ready, Stop
from voicebackend.heard import HeardReports
from voicebackend.lane_link import LaneLink
from voicebackend.playback import obey
from voicebackend.playout import AHEAD_S, Playout
from voicebackend.streams import Frame, Kind
from voicebackend.tape import Tape
from voicebackend.telemetry import frames_dropped, frames_late
from voicebackend.turn_progress import REPORT_S

logger = logging.getLogger(__name__)

ATTACH_S = 5.0
"""Seconds that the worker has to answer."""
HANGUP = "hangup"
"""The reason of a session that its caller ended."""
_HUNG_UP = {0, 1000, 1005}
"""Close codes of a caller that is done: none, or normal. Others may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """How a caller's socket comes to its end."""

    code: CloseCode = CloseCode.NORMAL
    error: VoiceBackendError | None = None
    """Told to the caller before the close."""
    detach: bool = True
    """Tell the worker; not when it knows, or knows of a newer socket."""
    stopped: bool = False
    """The caller is done; otherwise it may come back."""


class Caller:
    """A websocket attached to a session. ``take`` and ``dismiss`` never wait."""

    def __init__(
        self,
        ws: CallerSocket,
        *,
        session: str,
        lane: str,
        inbox: str,
        codec: Codec,
        sender: Sender,
        seal: Sealing,
        tape: Tape | None = None,
    ) -> None:
        self.session = session
        self._ws, self._codec = ws, codec
        self._lane = LaneLink(sender, session=session, lane=lane, inbox=inbox, sample_rate=codec.sample_rate, seal=seal)
        self._fence, self._uplink = Fence(), Uplink(codec)
        self._tape = tape
        self._playout = Playout(
            codec.sample_rate,
            stands_still=stands_still(ws),
            ahead_s=AHEAD_S + gathers_s(ws),
            tape=None if tape is None else tape.agent,
        )
        self._downlink, self._writer = Downlink(codec), Writer(ws, lambda: self.dismiss(_too_slow()))
        self._loop = asyncio.get_running_loop()
        self._heard_from, self._wake = asyncio.Event(), Bell()
        self._dismissed: asyncio.Future[Leave] = self._loop.create_future()
        self._flush: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._heard = HeardReports(self._lane.played)
        self._ended = False
        self._traceparent = ""

    def __repr__(self) -> str:
        return f"<Caller {self.session} [{self._playout!r}]>"

    def take(self, frame: Frame) -> None:
        """Take a frame from the session's worker."""
        if frame.attachment not in (self._lane.attachment, 0) or not self._fence.admits(frame):
            frames_dropped.add(1, {"where": "gateway"})
            return
        self._heard_from.set()
        if frame.kind is Kind.AUDIO_OUT:
            if self._playout.is_empty:  # else it is due after what waits already, and nothing changes before that
                self._wake.ring()
            self._playout.push_audio(frame.turn, frame.payload)
        elif frame.kind is Kind.EVENT:
            self._event(frame)
            self._look()
        elif frame.kind is Kind.ADOPT:
            self._lane.playout(self._playout.adopt(self._loop.time()), frame.epoch)
            self._look()
        if self._playout.is_crowded:
            self.dismiss(_too_slow())

    def _event(self, frame: Frame) -> None:
        event = frame.json().get("type")
        if event == "replaced":
            self.dismiss(replaced())
            return
        if event == "masked" and self._tape is not None:
            self._tape.mask(self._loop.time() + float(frame.json()["seconds"]))
        obey(frame, self._playout, self._heard, self._loop.time())
        self._ended = self._ended or event == "ended"

    def dismiss(self, leave: Leave) -> None:
        """Let the socket come to its end like this."""
        if not self._dismissed.done():
            self._dismissed.set_result(leave)
            self._heard_from.set()

    async def attach(self, traceparent: str) -> None:
        """Tell the worker that this caller is there, and wait for its first word, or until dismissed.

        Raises:
            ConnectionTimeout: the worker did not answer.

        """
        self._traceparent = traceparent
        self._lane.attach(traceparent)
        try:
            async with asyncio.timeout(ATTACH_S):
                await self._heard_from.wait()
        except TimeoutError as error:
            self.detach(Leave())
            raise ConnectionTimeout("media", "the session's worker did not answer") from error

    def attach_again(self) -> None:
        """Tell the worker once more that this caller is there: to one that knows it, that changes nothing."""
        self._lane.attach(self._traceparent)

    def detach(self, leave: Leave) -> None:
        """Tell the worker that this socket is gone."""
        if leave.detach:
            self._lane.tell(Kind.DETACH, stopped=leave.stopped)

    async def converse(self, resume_token: str) -> Leave:
        """Carry the conversation until it ends, and say how it did.

        Raises:
            VoiceBackendError: the caller broke the protocol.

        """
        codec = self._codec
        ready = Ready(
            session=self.session, sample_rate=codec.sample_rate, encoding=codec.name, resume_token=resume_token
        )
        down = asyncio.create_task(self._speak(ready), name=f"caller-down-{self.session}")
        up = asyncio.create_task(self._listen(), name=f"caller-up-{self.session}")
        try:
            with self._writer:
                await asyncio.wait({up, down, self._dismissed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._release()
        if self._dismissed.done():
            return self._dismissed.result()
        return (down if not down.cancelled() else up).result()

    def _release(self) -> None:
        self._heard.close()
        self._playout.heard(self._loop.time() + (self._playout.ahead_s if self._ended else 0.0))  # for the tape
        for timer in (self._flush, self._alarm):
            if timer is not None:
                timer.cancel()
        if self._playout.late:
            frames_late.add(self._playout.late)
        if self._playout.dropped:
            frames_dropped.add(self._playout.dropped, {"where": "playout"})

    async def _listen(self) -> Leave:
        """Forward what the caller sends."""
        try:
            while True:
                message = await self._ws.receive()
                if message.type is WSMsgType.BINARY:  # fifty times a second, so by the shortest way
                    self._audio(self._uplink.push(message.data, self._loop.time()))
                elif await self._obey(understood(message)):
                    return Leave(stopped=True)
        except CallerGone as gone:
            return Leave(stopped=gone.code in _HUNG_UP)

    async def _obey(self, message: ClientMessage) -> bool:
        """Do what a message asks; tell whether the caller is done."""
        match message:
            case Played():
                self._heard.said(message.turn, message.ms, stopped=message.stopped)
            case Hold():
                self._lane.tell(Kind.HOLD, on=message.on)
            case Dtmf():
                self._lane.pressed(message.digit)
            case Stop():
                await self._writer.send(Ended(reason=HANGUP).to_json())
                return True
            case _:
                raise InvalidFormat("media", f"{message.type}: the conversation has started already")
        return False

    def _audio(self, frames: list[bytes]) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._tape is not None:
            self._tape.caller(b"".join(frames), self._loop.time())
        self._lane.audio(frames)
        if self._uplink.has_rest:
            self._flush = self._loop.call_later(FLUSH_S, lambda: self._audio(self._uplink.flush()))

    async def _speak(self, ready: Ready) -> Leave:
        """Say that all is ready; then send what is due, when it is due, and report what must have been heard."""
        await self._writer.send(ready.to_json())
        while True:
            now = self._loop.time()
            while (item := self._playout.due(now)) is not None:
                for message in self._downlink.messages(item):
                    await self._writer.send(message)
            if not self._is_looked_at_soon(now):
                if self._ended and self._playout.is_empty:
                    return Leave(detach=False)
                self._look_ahead(now)
            await self._wake.wait()

    def _is_looked_at_soon(self, now: float) -> bool:
        """Tell whether what was just sent needs no look of its own: the next comes before a report of it is due."""
        return self._alarm is not None and self._alarm.when() <= now + REPORT_S and self._playout.is_empty

    def _look_ahead(self, now: float) -> None:
        """Report what must have been heard, and see to it that the playout is looked at when something changes."""
        for heard in self._playout.heard(now):
            self._heard.reckoned(heard.turn, heard.ms)
        wait_s = self._playout.wait_s(now)
        if wait_s is not None:
            self._wake_at(now + wait_s)

    def _wake_at(self, when: float) -> None:
        """Look at the playout again then, or earlier: an alarm that is set for earlier stays, for it costs less."""
        if self._alarm is not None:
            if self._alarm.when() <= when:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._wake.ring()


def replaced() -> Leave:
    """Return how a socket ends whose session another socket has: the worker knows."""
    error = SessionAlreadyActive("media", "another socket took over")
    return Leave(code=CloseCode.REPLACED, error=error, detach=False)


def _too_slow() -> Leave:
    return Leave(code=CloseCode.TOO_SLOW, error=RateLimitExceeded("media", "the caller reads too slowly"))

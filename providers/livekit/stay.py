"""The caller in the room, from coming to leaving: audio and keys into the lane, agent audio and messages out."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from providers.livekit.loudspeaker import Loudspeaker, Source
from voicebackend.errors import InvalidFormat
from voicebackend.events import Dtmf, Hold, Played, Stop, parse_client
from voicebackend.heard import HeardReports
from voicebackend.lane_link import LaneLink
from voicebackend.playback import obey
from voicebackend.playout import Playout
from voicebackend.streams import Frame, Kind
from voicebackend.telemetry import frames_dropped, frames_late

logger = logging.getLogger(__name__)


class Stage(Source, Protocol):
    """The room as the caller hears it."""

    async def send(self, text: str) -> None:
        """Send a message to the caller."""


class Stay:
    """One of them; ``run`` it as a task. Nothing else here waits."""

    def __init__(self, line: LaneLink, stage: Stage, sample_rate: int) -> None:
        self._line, self._stage = line, stage
        self._playout, self._heard = Playout(sample_rate), HeardReports(line.played)
        self._speaker = Loudspeaker(stage, sample_rate)
        self._now = asyncio.get_running_loop().time
        self._wake = asyncio.Event()
        self._goes_on = self._ended = False
        self.done = asyncio.Event()
        """Set once the session's end was told to the caller."""

    def __repr__(self) -> str:
        return f"<Stay [{self._playout!r}]>"

    def begin(self, traceparent: str) -> None:
        """Tell the session that its caller is there."""
        self._line.attach(traceparent)

    def leave(self, *, stopped: bool) -> None:
        """Tell the session that its caller is gone; ``stopped``: will not come back."""
        self._line.tell(Kind.DETACH, stopped=stopped)

    # From the caller

    def audio(self, pcm: bytes) -> None:
        """Take 20 ms of the caller's audio, 16 kHz."""
        self._line.audio([pcm])

    def pressed(self, digit: str) -> None:
        """Take a key."""
        self._line.pressed(digit)

    def message(self, text: str) -> None:
        """Take one of the messages of ``voicebackend.events`` that a caller may send; others are left alone."""
        try:
            message = parse_client(text)
        except InvalidFormat as error:
            logger.info("message not understood", extra={"error": error.message})
            return
        match message:
            case Played():
                self._heard.said(message.turn, message.ms, stopped=message.stopped)
            case Hold():
                self._line.tell(Kind.HOLD, on=message.on)
            case Dtmf():
                self.pressed(message.digit)
            case Stop():
                self.leave(stopped=True)
            case _:
                pass

    # From the session

    def take(self, frame: Frame) -> None:
        """Take a frame from the session."""
        if frame.attachment != self._line.attachment:
            return  # for a stay before this one
        if frame.kind is Kind.AUDIO_OUT:
            self._playout.push_audio(frame.turn, frame.payload)
        elif frame.kind is Kind.EVENT:
            self._event(frame)
        self._wake.set()

    def _event(self, frame: Frame) -> None:
        now, event = self._now(), frame.json().get("type")
        self._playout.played_ms(frame.turn, now)
        ahead_s = self._playout.ahead_s
        obey(frame, self._playout, self._heard, now)
        if event in {"pause", "clear"}:
            self._speaker.hold(ahead_s)
        if event == "clear":
            self._speaker.keep(self._playout.ahead_s)
        self._goes_on = self._goes_on or event in {"clear", "resume"}
        self._ended = self._ended or event == "ended"

    async def run(self) -> None:
        """Play and send what is due when it is due, and report what must have been heard, until cancelled."""
        try:
            while True:
                self._wake.clear()
                await self._play()
                wait_s = self._playout.wait_s(self._now())
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            self._heard.close()
            frames_late.add(self._playout.late)
            frames_dropped.add(self._playout.dropped, {"where": "playout"})

    async def _play(self) -> None:
        now = self._now()
        if self._goes_on:
            self._goes_on = False
            await self._speaker.go_on()
        while (item := self._playout.due(now)) is not None:
            await (self._stage.send(item) if isinstance(item, str) else self._speaker.play(item))
        for heard in self._playout.heard(now):
            self._heard.reckoned(heard.turn, heard.ms)
        if self._ended and self._playout.is_empty:
            self.done.set()

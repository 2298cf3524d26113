"""What lies between the pipeline and the caller's phone: a lane, a gateway with the real playout clock, a network."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicebackend.audio import PIPELINE_RATE, FrameCutter, Resampler
from voicebackend.codecs import open_codec
from voicebackend.events import Ended, Message
from voicebackend.heard import HeardReports
from voicebackend.interfaces import Pipeline, TransportLink
from voicebackend.playout import Playout
from worker.scenarios.format import PhoneScript

LANE_S = 0.005
"""Seconds between gateway and worker, each way."""


class Wire:
    """Delivers what is sent, in order, after a delay."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self._waiting: deque[Callable[[], None]] = deque()
        self._last = 0.0

    def send(self, deliver: Callable[[], None]) -> None:
        """Call this later."""
        loop = asyncio.get_running_loop()
        self._last = max(self._last, loop.time() + self.delay_s)
        self._waiting.append(deliver)
        loop.call_at(self._last, self._deliver)

    def _deliver(self) -> None:
        """Deliver the next: timers of the same time ring in any order."""
        self._waiting.popleft()()


class Receiver(Protocol):
    """A phone, as the gateway sees it."""

    def receive(self, item: bytes | str) -> None:
        """Take audio, or a message of the protocol."""
        ...


class Gateway(TransportLink):
    """Does what control's gateway does: paces audio, obeys clear and pause, reports what must have been heard."""

    def __init__(self, script: PhoneScript, phone: Receiver) -> None:
        self.sample_rate = script.rate
        self._phone = phone
        self._codec = open_codec(script.encoding, script.rate)
        self._playout = Playout(script.rate)
        self._to_worker, self._from_worker = Wire(LANE_S), Wire(LANE_S)
        self.up, self.down = Wire(script.delay), Wire(script.delay)
        self._resampler, self._cutter = Resampler(script.rate, PIPELINE_RATE), FrameCutter(PIPELINE_RATE)
        self._wake = asyncio.Event()
        self._heard = HeardReports(self._tell)
        self.pipeline: Pipeline | None = None

    @property
    def late(self) -> int:
        """Frames that came after the caller's buffer had run dry within their turn."""
        return self._playout.late

    # From the worker

    def play(self, turn: int, pcm: bytes) -> None:
        """Take agent audio."""
        self._from_worker.send(lambda: self._audio(turn, pcm))

    def event(self, message: Message) -> None:
        """Take an event."""
        self._from_worker.send(lambda: self._event(message))

    def _audio(self, turn: int, pcm: bytes) -> None:
        self._playout.push_audio(turn, pcm)
        self._wake.set()

    def _event(self, message: Message) -> None:
        text, now = message.to_json(), asyncio.get_running_loop().time()
        turn = int(getattr(message, "turn", 0))
        match message.model_dump().get("type"):
            case "clear":
                self._playout.clear(turn, text, now)
                self._heard.stopped(turn, self._playout.played_ms(turn, now))
            case "pause":
                self._playout.pause(turn, text, now)
                self._heard.stopped(turn, self._playout.played_ms(turn, now))
            case "resume":
                self._playout.resume(turn, text, now)
                self._heard.resumed(turn)
            case _:
                self._playout.push_text(text)
                if isinstance(message, Ended):
                    self._playout.finish()
        self._wake.set()

    def close(self) -> None:
        """The caller is gone."""
        self.pipeline = None
        self._heard.close()

    async def run(self) -> None:
        """Send what is due, when it is due, and report what must have been heard."""
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            while (item := self._playout.due(clock())) is not None:
                self.down.send(lambda item=item: self._phone.receive(self._through(item)))  # type: ignore[misc]
            for heard in self._playout.heard(clock()):
                self._heard.reckoned(heard.turn, heard.ms)
            wait_s = self._playout.wait_s(clock())
            alarm = None if wait_s is None else asyncio.get_running_loop().call_later(wait_s, self._wake.set)
            await self._wake.wait()
            if alarm is not None:
                alarm.cancel()

    def _through(self, item: bytes | str) -> bytes | str:
        """Return what the codec makes of audio."""
        if isinstance(item, str):
            return item
        return b"".join(self._codec.decode(message) for message in self._codec.encode(item))

    # From the phone

    def hear(self, pcm: bytes) -> None:
        """Take 20 ms of the caller."""
        message = self._through(pcm)
        assert isinstance(message, bytes)  # noqa: S101 - audio stays audio
        self.up.send(lambda: self._push(message))

    def _push(self, pcm: bytes) -> None:
        for frame in self._cutter.push(self._resampler.process(pcm)):
            self.to_pipeline(lambda pipeline, frame=frame: pipeline.push(frame))  # type: ignore[misc]

    def played(self, turn: int, ms: float) -> None:
        """Take the phone's own report."""
        self.up.send(lambda: self._heard.said(turn, ms))

    def _tell(self, turn: int, ms: float, *, estimated: bool, final: bool) -> None:
        del estimated
        self.to_pipeline(lambda pipeline: pipeline.played(turn, ms, final=final))

    def to_pipeline(self, act: Callable[[Pipeline], None]) -> None:
        """Have this done where the pipeline runs, a lane away."""

        def deliver() -> None:
            if self.pipeline is not None:
                act(self.pipeline)

        self._to_worker.send(deliver)

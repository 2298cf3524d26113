"""A process that sends stamped frames over many websockets in real time, and times each one's way there and back.

The sockets' frames are spread evenly over every 20 ms. It knows nothing of the product but its first words.
"""

from __future__ import annotations

import asyncio
import gc
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.frames import FRAME_S, stamped, stamps
from benchmarks.processes import Window
from voicebackend.process import loop_factory

OPENING = 16
"""Sockets that are opened at once."""
LATE_S = 0.005
"""Seconds after its time at which a frame is sent late: then this process had no room."""
SKIP_S = 0.1
"""Seconds after its time at which a frame is not sent at all: a burst would measure the burst."""
EVERY, PAUSE = 250, 15
"""Of so many frames so many are a pause, each socket's at another time: what a stall has piled up is played then."""
DRAIN_S = 2.0
"""Seconds that the last frames have to come back."""
_READY_S = 20.0
_APART = 37
"""Frames between the pauses of one socket and the next: prime to ``EVERY``."""
_TICK_S = 0.001
"""Seconds that this process sleeps at least: the event loop's timers know nothing shorter."""
START = '{"type":"start","sample_rate":16000}'
STOP = '{"type":"stop"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """Where to connect; it answers ``START`` with a text that holds ``"ready"``, and sends frames back."""

    url: str
    protocols: str = ""


@dataclass(slots=True)
class Seen:
    """What was counted; a frame counts by when it was sent."""

    round_trips: array[float] = field(default_factory=lambda: array("d"))
    """Seconds from sending a frame to having it back."""
    sent: int = 0
    sent_late: int = 0
    skipped: int = 0
    """Not sent, because this process was too late for them."""
    repeated: int = 0
    """Frames that came twice or out of order."""

    def add(self, other: Seen) -> None:
        """Add what another process saw."""
        self.round_trips.extend(other.round_trips)
        self.sent += other.sent
        self.sent_late += other.sent_late
        self.skipped += other.skipped
        self.repeated += other.repeated


class EchoedCall(WSListener):  # type: ignore[misc]  # picows is not typed
    """One socket."""

    def __init__(self, seen: Seen, place: int) -> None:
        self._seen, self._place = seen, place
        self._transport: WSTransport | None = None
        self._sent = self._last = 0
        self.count_from = self.until = float("inf")
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Say the first words."""
        self._transport = transport
        transport.send(WSMsgType.TEXT, START.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Time what comes back."""
        del transport
        if frame.msg_type == WSMsgType.BINARY:
            self._time(frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.TEXT and not self.ready.done():
            text = frame.get_payload_as_utf8_text()
            if '"ready"' in text:
                self.ready.set_result(None)
            elif '"error"' in text:
                self.ready.set_exception(RuntimeError(text))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Hear that it is gone: what is sent from now on is lost."""
        del transport
        self._transport = None
        if not self.ready.done():
            self.ready.set_exception(RuntimeError("the socket closed before it was ready"))

    def send(self, due: float) -> None:
        """Send the next frame, which was due at this second, unless it is one of a pause or far too late."""
        now = time.monotonic()
        counting = self.count_from <= now < self.until
        self._place += 1
        if self._place % EVERY < PAUSE or now > due + SKIP_S:
            self._seen.skipped += counting and now > due + SKIP_S
            return
        self._sent += 1
        if counting:
            self._seen.sent += 1
            self._seen.sent_late += now > due + LATE_S
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY, stamped(self._sent, now))

    def stop(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, STOP.encode())
            self._transport.disconnect(graceful=True)

    def _time(self, audio: memoryview) -> None:
        now = time.monotonic()
        for number, sent in stamps(audio):
            if number <= self._last:
                self._seen.repeated += 1
                continue
            self._last = number
            if self.count_from <= sent < self.until:
                self._seen.round_trips.append(now - sent)


def generate(sockets: Sequence[Socket], pipe: Connection) -> None:
    """Open every socket, say so, be told the window, send, and answer with what was seen."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        pipe.send(runner.run(_generate(sockets, pipe)))


async def _generate(sockets: Sequence[Socket], pipe: Connection) -> Seen:
    seen, limit = Seen(), asyncio.Semaphore(OPENING)
    calls = await asyncio.gather(*(_open(socket, seen, limit, place) for place, socket in enumerate(sockets)))
    gc.collect()
    gc.freeze()
    pipe.send("ready")
    window: Window = await asyncio.to_thread(pipe.recv)
    for call in calls:
        call.count_from, call.until = window.count_from, window.until
    await _send(calls, window)
    await asyncio.sleep(DRAIN_S)
    for call in calls:
        call.stop()
    return seen


async def _open(socket: Socket, seen: Seen, limit: asyncio.Semaphore, place: int) -> EchoedCall:
    headers = {"Sec-WebSocket-Protocol": socket.protocols} if socket.protocols else None
    async with limit, asyncio.timeout(_READY_S):
        call = EchoedCall(seen, place * _APART)
        await ws_connect(lambda: call, socket.url, extra_headers=headers)
        await call.ready
    return call


async def _send(calls: Sequence[EchoedCall], window: Window) -> None:
    """Send frame after frame: each call's every 20 ms, and all of them in turn."""
    number, step = 0, FRAME_S / len(calls)
    while (due := window.start + number * step) < window.until:
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(max(wait, _TICK_S))
        calls[number % len(calls)].send(due)
        number += 1
        if not number % 64:
            await asyncio.sleep(0)  # a sender that is behind still hears

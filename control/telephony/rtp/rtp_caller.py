"""A call's RTP in the place of a caller's websocket: our protocol on this side, packets on the other."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from aiohttp import WSMessage, WSMsgType

from control.telephony.rtp.media_format import FRAME_BYTES, SAMPLE_RATE, SILENCE, MediaFormat
from control.telephony.rtp.media_ports import MediaPort
from control.telephony.rtp.pacer import Pacer
from control.telephony.rtp.packet import Place
from control.telephony.rtp.playout_queue import PlayoutQueue
from control.telephony.rtp.rtp_stream import RtpStream
from voicebackend.events import Auth, Dtmf, Hold, Message, Played, Start, Stop
from voicebackend.telemetry import frames_dropped

DRAIN_S = 1.0
"""Seconds that the last words have to be sent before the call ends."""
MAX_MESSAGES = 300
"""Messages that wait for the gateway; audio beyond is dropped. A worker is there long before."""
MAX_PASSING = MAX_MESSAGES + 64
"""The same for keys and for reports of what was played: no flood of keys fills the memory."""
_PIECE = 5 * FRAME_BYTES
"""Bytes of audio in a message at most."""


class RtpCaller:
    """Reads like a caller who sends ``auth``, ``start``, audio, keys, what was played; writes 20 ms at a time."""

    stands_still = True
    """What waits here, waits also while its turn is paused."""

    def __init__(self, stream: RtpStream, port: MediaPort, pacer: Pacer, *, token: str, lost_s: float) -> None:
        """Hear and send packets from now on.

        ``token`` is the session's. ``lost_s`` seconds without a packet end the call, unless it is on hold, or its
        caller only listens.
        """
        self._stream, self._port, self._pacer = stream, port, pacer
        self._queue = PlayoutQueue(SILENCE[stream.media.encoding])
        self._waiting: deque[WSMessage] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._lost_s = lost_s
        self._now = asyncio.get_running_loop().time
        self._drained = asyncio.Event()
        self._sends, self._hears, self._on_hold = True, True, False
        self._closed = self._is_over = False
        self._since = self._now()
        """When the caller's silence began to count."""
        self._say(Auth(token=token))
        self._say(Start(sample_rate=SAMPLE_RATE, encoding=stream.media.encoding))
        port.listen(self._take)
        pacer.add(self._tick)

    def __repr__(self) -> str:
        return f"<RtpCaller [{'closed' if self._closed else 'open'}, {self._queue!r}]>"

    @property
    def closed(self) -> bool:
        """Whether nothing is sent any more."""
        return self._closed

    async def receive(self) -> WSMessage:
        """Return what the caller says next, as a websocket would have it."""
        while not self._waiting:
            if self._closed:
                return WSMessage(WSMsgType.CLOSED, None, None)
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._waiting.popleft()

    async def send_str(self, data: str) -> None:
        """Do what a message of ours means for a telephone; most are for screens, and mean nothing."""
        told = json.loads(data)
        match told["type"]:
            case "audio_start":
                self._queue.begin(told["turn"])
            case "clear":
                self._played(self._queue.clear(told["turn"]))
            case "pause":
                self._played(self._queue.pause(told["turn"]))
            case "resume":
                self._queue.resume(told["turn"])

    async def send_bytes(self, data: bytes) -> None:
        """Have audio sent, 20 ms at a time."""
        self._queue.push(data)

    async def close(self, *, code: int = 1000) -> bool:
        """Let the last words be sent, and give the port back; the call itself is to be ended by who made this."""
        del code
        try:
            async with asyncio.timeout(DRAIN_S):
                while not (self._queue.is_empty or self._is_over or self._closed):
                    self._drained.clear()
                    await self._drained.wait()
        except TimeoutError:
            pass
        finally:
            self.release()
        return True

    def release(self) -> None:
        """Give clock and port back; again does nothing."""
        if self._closed:
            return
        self._closed = self._is_over = True
        if self._stream.latch.rejected:
            frames_dropped.add(self._stream.latch.rejected, {"where": "stranger"})
        self._pacer.remove(self._tick)
        self._port.close()
        self._wake()

    def hang_up(self) -> None:
        """The caller is gone: nothing is sent any more."""
        if not self._is_over:
            self._is_over = True
            self._say(Stop())
            self._drained.set()

    def press(self, digit: str) -> None:
        """The caller pressed a key, as signalling says."""
        self._mention(Dtmf(digit=digit))

    def renegotiated(self, media: MediaFormat, named: Place | None, *, sends: bool, hears: bool, on_hold: bool) -> None:
        """Signalling agreed again: payload types, where the caller is, and which ways audio goes."""
        self._stream.media = media
        self._stream.latch.rename(named, self._now())
        self._sends, self._hears, self._since = sends, hears, self._now()
        if on_hold != self._on_hold:
            self._on_hold = on_hold
            self._say(Hold(on=on_hold))

    def _take(self, datagram: bytes, place: Place) -> None:
        heard = self._stream.take(datagram, place, self._now())
        if heard.key is not None:
            self.press(heard.key)
        if heard.audio:
            self._hear(heard.audio)

    def _tick(self, now: float) -> None:
        """Do what 20 ms ask for."""
        destination = self._stream.latch.destination
        if self._sends and destination is not None and not self._is_over:
            self._port.send(self._stream.write(self._queue.take), destination)
        else:
            self._stream.pass_by()
        for report in self._queue.reports():
            self._played(report)
        if audio := self._stream.wait(now):
            self._hear(audio)
        if self._queue.is_empty:
            self._drained.set()
        if self._hears and not self._on_hold and now - max(self._since, self._stream.heard_at or 0.0) > self._lost_s:
            self.hang_up()

    def _hear(self, audio: list[bytes]) -> None:
        if not self._hears:
            return
        whole = audio[0] if len(audio) == 1 else b"".join(audio)
        for at in range(0, len(whole), _PIECE):
            if len(self._waiting) >= MAX_MESSAGES:
                frames_dropped.add(1, {"where": "telephone"})
                return
            self._waiting.append(WSMessage(WSMsgType.BINARY, whole[at : at + _PIECE], None))
        self._wake()

    def _played(self, played: Played) -> None:
        if played.stopped:
            self._say(played)  # who paused or cleared waits for it
        else:
            self._mention(played)

    def _mention(self, message: Message) -> None:
        """Say what is lost where nobody reads."""
        if len(self._waiting) < MAX_PASSING:
            self._say(message)
        else:
            frames_dropped.add(1, {"where": "telephone"})

    def _say(self, message: Message) -> None:
        self._waiting.append(WSMessage(WSMsgType.TEXT, message.to_json(), None))
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

"""A carrier's websocket in the place of a caller's: our protocol on this side, the carrier's dialect on the other."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from control.telephony.streams.dialect import Dialect
from control.telephony.streams.pieces import Pieces
from control.telephony.streams.playback_marks import PlaybackMarks
from control.telephony.streams.reorder import Reorder
from control.telephony.streams.stream_events import Audio, Closed, Marked, Opened, Pressed, StreamEvent
from voicebackend.codecs import Encoding
from voicebackend.errors import InvalidFormat
from voicebackend.events import Auth, Dtmf, Message, Played, Start, Stop

MAX_MALFORMED = 3
"""Messages that are not of the dialect; then the stream is closed."""
TOKEN = "token"  # noqa: S105 - the name of a parameter
"""The parameter in which the carrier gives our token back."""
_SAMPLE_BYTES = {Encoding.MULAW: 1, Encoding.ALAW: 1, Encoding.PCM16: 2}
_SILENCE = {Encoding.MULAW: b"\xff", Encoding.ALAW: b"\xd5", Encoding.PCM16: b"\0"}


class CarrierSocket:
    """Reads like a caller who sends ``auth``, ``start``, audio, keys, what was played; writes as the carrier wants."""

    stands_still = False
    """What a carrier has, it plays, also while a turn is paused."""

    def __init__(self, ws: web.WebSocketResponse, dialect: Dialect) -> None:
        self._ws, self._dialect = ws, dialect
        self._waiting: deque[WSMessage] = deque()
        self._nap: asyncio.Timeout | None = None
        """Of the read that is under way."""
        self._reorder = Reorder()
        self._marks: PlaybackMarks | None = None
        self._pieces: Pieces | None = None
        self.gathers_s = 0.0
        """Seconds of audio that may be kept back here, once the stream has begun: until a message is full."""
        self._turn = 0
        self._malformed = 0
        self._now = asyncio.get_running_loop().time

    def __repr__(self) -> str:
        return f"<CarrierSocket {self._dialect.name} [{'closed' if self.closed else 'open'}]>"

    @property
    def closed(self) -> bool:
        """Whether the carrier is gone."""
        return self._ws.closed

    async def receive(self) -> WSMessage:
        """Return what the carrier says next, as a caller would say it.

        Raises:
            InvalidFormat: it does not speak its dialect.

        """
        while not self._waiting:
            message = await self._read()
            if message is None:
                continue
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return message
            self._take(message.data)
        return self._waiting.popleft()

    async def send_str(self, data: str) -> None:
        """Do what a message of ours means for a carrier; most are for screens, and mean nothing."""
        told = json.loads(data)
        match told["type"]:
            case "audio_start":
                await self._begin(told["turn"])
            case "audio_end":
                await self._fill()
            case "clear":
                await self._clear(told["turn"])
            case "pause" if self._marks is not None:
                self._played(self._marks.draining(told["turn"]))

    async def send_bytes(self, data: bytes) -> None:
        """Have audio played; what does not fill a message of the carrier's waits for more."""
        for piece in self._pieces.push(data) if self._pieces is not None else ():
            await self._play(piece)

    async def close(self, *, code: int = 1000) -> bool:
        """Close the carrier's socket."""
        return await self._ws.close(code=code)

    async def _read(self) -> WSMessage | None:
        """Return what the carrier sends next, None if there is something to say for it before."""
        try:
            async with asyncio.timeout(None) as self._nap:
                return await self._ws.receive()
        except TimeoutError:
            if self._nap is None or not self._nap.expired():
                raise
            return None
        finally:
            self._nap = None

    async def _begin(self, turn: int) -> None:
        if turn != self._turn:
            await self._fill()  # what is left is of the turn before
        self._turn = turn
        if self._marks is not None:
            self._marks.begun(turn)

    async def _fill(self) -> None:
        """Have the rest played, with silence behind it, and a mark."""
        for piece in self._pieces.flush() if self._pieces is not None else ():
            await self._play(piece)
        await self._mark(self._marks.mark() if self._marks is not None else None)

    async def _clear(self, turn: int) -> None:
        """Drop what of a turn is not yet played; a carrier drops all, so a later turn is left alone if it can be."""
        marks, now = self._marks, self._now()
        if turn == self._turn and self._pieces is not None:
            self._pieces.drop()
        if marks is not None and turn != self._turn and not marks.waits(turn, now):
            self._played(marks.draining(turn))
            return
        played = marks.stopped(turn, now) if marks is not None else None
        await self._send(self._dialect.clear())
        self._played(played)

    async def _play(self, piece: bytes) -> None:
        await self._send(self._dialect.audio(piece))
        await self._mark(self._marks.sent(len(piece), self._now()) if self._marks is not None else None)

    async def _mark(self, name: str | None) -> None:
        if name is not None:
            await self._send(self._dialect.mark(name))

    async def _send(self, message: str | bytes) -> None:
        await (self._ws.send_bytes(message) if isinstance(message, bytes) else self._ws.send_str(message))

    def _take(self, data: str | bytes) -> None:
        try:
            event = self._dialect.read(data)
        except InvalidFormat:
            self._malformed += 1
            if self._malformed >= MAX_MALFORMED or self._marks is None:
                raise
            return
        if event is not None:
            self._hear(event)

    def _hear(self, event: StreamEvent) -> None:
        if self._marks is None and not isinstance(event, Opened | Closed):
            return  # before it has said whose the stream is, nothing is listened to
        match event:
            case Opened():
                self._open(event)
            case Audio():
                for payload in self._reorder.push(event):
                    self._waiting.append(WSMessage(WSMsgType.BINARY, payload, None))
            case Pressed(digit):
                self._say(Dtmf(digit=digit))
            case Marked(name):
                self._played(self._marks.came_back(name, self._now()) if self._marks is not None else None)
            case Closed():
                self._say(Stop())

    def _open(self, opened: Opened) -> None:
        if self._marks is not None:
            raise InvalidFormat("media_stream", "the stream has begun already")
        rate, encoding = opened.sample_rate, opened.encoding
        try:
            said = (Auth(token=opened.parameters.get(TOKEN, "")), Start(sample_rate=rate, encoding=encoding))
        except ValidationError:
            message = "the start has no sample rate of ours, or its token is too long"
            raise InvalidFormat("media_stream", message) from None  # the cause would show the token
        sizes, byte_rate = self._dialect.sizes(rate), rate * _SAMPLE_BYTES[encoding]
        self._marks, self._pieces = PlaybackMarks(byte_rate / 1000), Pieces(sizes, _SILENCE[encoding])
        self.gathers_s = sizes.kept_back / byte_rate
        for part in said:
            self._say(part)

    def _played(self, played: Played | None) -> None:
        """Say how much was played; of a carrier that sends no marks back, the gateway's own clock knows as much."""
        if played is not None and self._marks is not None and self._marks.answered:
            self._say(played)

    def _say(self, message: Message) -> None:
        self._waiting.append(WSMessage(WSMsgType.TEXT, message.to_json(), None))
        if self._nap is not None and not self._nap.expired() and not self._ws.closed:
            self._nap.reschedule(self._now())  # who reads hears this at once, not when the carrier speaks next

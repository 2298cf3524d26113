"""A call as a carrier streams it: audio in real time both ways, marks that come back when played, ``clear``."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable

import aiohttp
from carrier_shapes import Shapes, shapes

from providers.mock.tones import speak, spoken
from voicebackend.codecs import Codec, Encoding, open_codec

FRAME_MS = 20
WAIT_S = 20.0
IDLE_TICKS = 25
SWAPPED = 7
"""Of so many pieces of audio of a carrier that keeps no order, the last two are swapped."""
_SILENCE = {Encoding.MULAW: b"\xff", Encoding.PCM16: b"\0"}
_BYTES = {Encoding.MULAW: 1, Encoding.PCM16: 2}


class CarrierCall:
    """One call's carrier side."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, token: str, carrier: Shapes) -> None:
        self._ws, self._token, self._carrier = ws, token, carrier
        self._rate: int = carrier.form["sample_rate"]
        self._codec: Codec = open_codec(carrier.encoding, self._rate)
        self._frame = self._rate * FRAME_MS // 1000 * _BYTES[carrier.encoding]
        self._sent = 0
        self._held: str | None = None
        self._speech = bytearray()
        self._playing: deque[bytes | str] = deque()
        self._changed = asyncio.Condition()
        self._over = asyncio.Event()
        self.heard = bytearray()
        """PCM that the caller has heard."""
        self.cut_at: list[int] = []
        """How much of it there was at each ``clear``."""
        self.clears = self.marks = 0
        self._idle_ticks = 0

    def say(self, text: str) -> None:
        """Have the caller speak."""
        self._speech += b"".join(self._codec.encode(speak(text, self._rate, 0.05)))

    @property
    def words(self) -> str:
        """What the caller has heard, read back from its tones."""
        return self.words_between(0, len(self.heard))

    def words_between(self, begin: int, end: int) -> str:
        """Return what is in a part of what was heard."""
        return spoken(bytes(self.heard[begin:end]), self._rate)

    @property
    def heard_s(self) -> float:
        """Seconds of agent audio heard."""
        return len(self.heard) / 2 / self._rate

    async def answered(self) -> None:
        """Return once more was heard, and then nothing for half a second."""
        heard = len(self.heard)
        await self.until(lambda: len(self.heard) > heard and self._idle_ticks > IDLE_TICKS)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(holds)

    async def closed(self) -> int | None:
        """Return the close code once the far side has closed."""
        await self._over.wait()
        return self._ws.close_code

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send("key", digit=digit)

    async def hang_up(self) -> None:
        """End the call: by the carrier's word, or by its socket where it has none."""
        if not await self._send("end"):
            await self._ws.close()

    async def run(self) -> None:
        """Stream until cancelled, or until the far side closes."""
        await self._send("begin", token=self._token)
        ticking = asyncio.create_task(self._tick(), name="carrier ticks")
        try:
            async for message in self._ws:
                await self._obey(message.data)
        finally:
            self._over.set()
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick(self) -> None:
        """Every 20 ms, send what the caller says, and play what waits."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            frame, self._speech = bytes(self._speech[: self._frame]), self._speech[self._frame :]
            await self._stream(frame.ljust(self._frame, _SILENCE[self._carrier.encoding]))
            await self._play()
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - now()))

    async def _stream(self, frame: bytes) -> None:
        self._sent += 1
        made = self._made("media", chunk=self._sent, audio=b64encode(frame).decode())
        if not made:
            await self._ws.send_bytes(frame)
        elif self._carrier.form.get("unordered") and self._sent % SWAPPED == 0 and self._held is None:
            [self._held] = made
        else:
            held, self._held = self._held, None
            for message in [*made, *([] if held is None else [held])]:
                await self._ws.send_str(message)

    async def _play(self) -> None:
        left = self._frame
        self._idle_ticks = 0 if self._playing else self._idle_ticks + 1
        while self._playing and left > 0:
            item = self._playing.popleft()
            if isinstance(item, str):
                await self._send("played", mark=item)
                continue
            self.heard += self._codec.decode(item[:left])
            if len(item) > left:
                self._playing.appendleft(item[left:])
            left -= len(item)
        async with self._changed:
            self._changed.notify_all()

    async def _obey(self, message: str | bytes) -> None:
        what, told = ("play", {}) if isinstance(message, bytes) else self._carrier.read(message)
        match what:
            case "play":
                audio = message if isinstance(message, bytes) else b64decode(told["audio"], validate=True)
                self._takes(len(audio))
                self._playing.append(audio)
            case "mark":
                self.marks += 1
                self._playing.append(told["mark"])
            case _:
                await self._clear()

    def _takes(self, size: int) -> None:
        """Fail for a message of a size that the carrier does not take."""
        form = self._carrier.form
        assert size % form.get("unit", 1) == 0, size
        assert form.get("least", 1) <= size <= form.get("most", size), size

    async def _clear(self) -> None:
        self.clears += 1
        self.cut_at.append(len(self.heard))
        waiting = [item for item in self._playing if isinstance(item, str)]
        self._playing.clear()
        if self._carrier.form.get("clear_returns_marks"):
            for name in waiting:
                await self._send("played", mark=name)
        await self._send("cleared")

    async def _send(self, what: str, **values: object) -> bool:
        """Send the carrier's messages of a kind; tell whether it has any."""
        made = self._made(what, **values)
        for message in made:
            await self._ws.send_str(message)
        return bool(made)

    def _made(self, what: str, **values: object) -> list[str]:
        return self._carrier.made(what, sequence=self._sent + 1, ms=self._sent * FRAME_MS, **values)


class TwilioCall(CarrierCall):
    """A call by Twilio."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, token: str) -> None:
        super().__init__(ws, token, shapes("twilio"))

"""A telephone: calls by SIP and RTP over plain sockets, speaks in real time, hears, presses keys, holds, hangs up."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from providers.mock.tones import speak, spoken
from voicebackend.codecs import Codec, Encoding, open_codec

RATE, FRAME = 8000, 160
HOST = "127.0.0.1"
WAIT_S = 30.0
IDLE_TICKS = 50
TRIES = 60
PAYLOAD_TYPES = {Encoding.MULAW: 0, Encoding.ALAW: 8}
SILENCE = {Encoding.MULAW: b"\xff", Encoding.ALAW: b"\xd5"}
KEYS = "0123456789*#ABCD"
KEY_TYPE = 96


class _Receiver(asyncio.DatagramProtocol):
    """Passes datagrams on."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._receive(data)


class Answer:
    """A SIP response."""

    def __init__(self, message: bytes) -> None:
        head, _, self.body = message.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def method(self) -> str:
        """To what it is the answer."""
        return self.headers["cseq"].split()[1]


class SipCaller:
    """One telephone with one call. Use ``telephone`` to open it."""

    def __init__(self, target: tuple[str, int], encoding: Encoding) -> None:
        self._target, self._payload_type = target, PAYLOAD_TYPES[encoding]
        self._codec: Codec = open_codec(encoding, RATE)
        self._encoding = encoding
        self.call_id, self._tag = secrets.token_hex(8), secrets.token_hex(4)
        self._branch, self._cseq, self._to = "", 0, ""
        self._number = ""
        self._sip: asyncio.DatagramTransport | None = None
        self.rtp: asyncio.DatagramTransport | None = None
        self._media: tuple[str, int] | None = None
        self._speech, self._keys = bytearray(), bytearray()
        self._ssrc, self._sequence, self._timestamp = secrets.randbits(32), 65_500, 0xFFFFF000
        self._changed = asyncio.Condition()
        self.answers: list[Answer] = []
        self.requests: list[str] = []
        """Methods of what was asked of us."""
        self.heard = bytearray()
        """PCM that was heard."""
        self.heard_s = 0.0
        """Seconds of it that were not silence."""
        self.sources: set[int] = set()
        """Whom it was from."""
        self.packets = 0
        self._idle_ticks = 0
        self.is_mute = self.vanished = False

    def open(self, sip: asyncio.DatagramTransport, rtp: asyncio.DatagramTransport) -> None:
        """Take the sockets."""
        self._sip, self.rtp = sip, rtp

    @property
    def words(self) -> str:
        """What was heard, read back from its tones."""
        return spoken(bytes(self.heard), RATE)

    @property
    def media(self) -> tuple[str, int]:
        """Where our sound goes."""
        assert self._media is not None
        return self._media

    def invite(self, number: str, *, offer: str | None = "", headers: str = "") -> None:
        """Call; without an ``offer`` of its own, with the usual one; None offers nothing."""
        self._number = self._number or number
        self._branch, self._cseq = secrets.token_hex(8), self._cseq + 1
        body = self.sdp() if offer == "" else offer or ""
        self._request("INVITE", body=body, more=headers)

    def sdp(self, direction: str = "sendrecv") -> str:
        """Return our half."""
        port = self._port(self.rtp)
        lines = ["v=0", f"o=- 1 {self._cseq} IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
        lines += [f"m=audio {port} RTP/AVP {self._payload_type} {KEY_TYPE}"]
        lines += [f"a=rtpmap:{KEY_TYPE} telephone-event/8000", f"a={direction}", ""]
        return "\r\n".join(lines)

    async def answered(self, status: int = 200, method: str = "INVITE") -> Answer:
        """Return the answer with this status to our last request, once it is there."""

        def found() -> Answer | None:
            mine = [one for one in self.answers if one.headers["cseq"] == f"{self._cseq} {method}"]
            final = next((one for one in mine if one.status >= 200), None)
            assert final is None or status < 200 or final.status == status, final and final.status
            return next((one for one in mine if one.status == status), None)

        await self.until(lambda: found() is not None)
        answer = found()
        assert answer is not None
        self._to = answer.headers["to"]
        if "m=audio" in answer.body:
            self._media = (HOST, int(answer.body.split("m=audio ")[1].split(" ")[0]))
        return answer

    async def talk(self, number: str) -> None:
        """Call, and be connected; a machine that is busy with other tests may say so at first."""
        for _ in range(TRIES):
            self.invite(number)
            await self.until(lambda: self.answers[-1:] != [] and self.answers[-1].status >= 200)
            if self.answers[-1].status != 503:
                break
            self.call_id, self._to = secrets.token_hex(8), ""
            self.answers.clear()
            await asyncio.sleep(1)
        await self.answered()
        self.ack()

    def ack(self, body: str = "") -> None:
        """Confirm."""
        self._request("ACK", body=body)

    def cancel(self) -> None:
        """Hang up while it rings."""
        self._request("CANCEL")

    async def hang_up(self) -> None:
        """End the call."""
        self._next("BYE")
        await self.answered(method="BYE")

    async def hold(self, *, on: bool) -> Answer:
        """Put the call on hold, or take it off."""
        self.invite(self._number, offer=self.sdp("sendonly" if on else "sendrecv"))
        answer = await self.answered()
        self.ack()
        return answer

    async def info(self, key: str) -> None:
        """Press a key by INFO."""
        self._next("INFO", body=f"Signal={key}\r\nDuration=160\r\n", kind="application/dtmf-relay")
        await self.answered(method="INFO")

    def say(self, text: str) -> None:
        """Have the caller speak."""
        self._speech += b"".join(self._codec.encode(speak(text, RATE, 0.05)))

    def press(self, keys: str) -> None:
        """Press keys in the sound (RFC 4733)."""
        self._keys += keys.encode()

    async def quiet(self) -> None:
        """Return once more was heard, and then nothing for a second."""
        heard = self.heard_s
        await self.until(lambda: self.heard_s > heard and self._idle_ticks > IDLE_TICKS)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(holds)

    async def ended(self) -> None:
        """Return once the far side has hung up."""
        await self.until(lambda: "BYE" in self.requests)

    async def tick(self) -> None:
        """Every 20 ms, send what the caller says."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            if self._media is not None and not self.is_mute and not self.vanished:
                self._sound()
            self._idle_ticks += 1
            async with self._changed:
                self._changed.notify_all()
            due += 0.02
            await asyncio.sleep(max(0.0, due - now()))

    def hear(self, packet: bytes) -> None:
        """Take a packet of RTP."""
        if self.vanished:
            return
        version, kind, _, _, ssrc = struct.unpack("!BBHII", packet[:12])
        assert (version, kind & 0x7F) == (0x80, self._payload_type)
        self.packets += 1
        self.sources.add(ssrc)
        self.heard += self._codec.decode(packet[12:])
        if packet[12:].strip(SILENCE[self._encoding]):
            self._idle_ticks = 0
            self.heard_s += 0.02

    def told(self, message: bytes) -> None:
        """Take a message of SIP."""
        if self.vanished:
            return
        if message.startswith(b"SIP/2.0 "):
            answer = Answer(message)
            self.answers.append(answer)
            if answer.method == "INVITE" and answer.status >= 300:
                self._to = answer.headers["to"]
                self.ack()
            return
        head = message.decode().partition("\r\n\r\n")[0].split("\r\n")
        self.requests.append(head[0].split(" ")[0])
        kept = [line for line in head[1:] if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))]
        self._send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]))

    def _next(self, method: str, *, body: str = "", kind: str = "application/sdp") -> None:
        self._branch, self._cseq = secrets.token_hex(8), self._cseq + 1
        self._request(method, body=body, kind=kind)

    def _request(self, method: str, *, body: str = "", kind: str = "application/sdp", more: str = "") -> None:
        here = f"{HOST}:{self._port(self._sip)}"
        to = self._to or f"<sip:{self._number}@{HOST}>"
        if method == "CANCEL":
            to = f"<sip:{self._number}@{HOST}>"
        lines = [
            f"{method} sip:{self._number}@{HOST} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{self._branch};rport",
            "Max-Forwards: 70",
            f"From: <sip:+12025550111@{HOST}>;tag={self._tag}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._cseq} {method}",
            f"Contact: <sip:caller@{here}>",
            *([f"Content-Type: {kind}"] if body else []),
            *filter(None, more.split("\r\n")),
            f"Content-Length: {len(body.encode())}",
        ]
        self._send("\r\n".join([*lines, "", body]))

    def _send(self, message: str) -> None:
        assert self._sip is not None
        self._sip.sendto(message.encode(), self._target)

    def _port(self, socket: asyncio.DatagramTransport | None) -> int:
        assert socket is not None
        return int(socket.get_extra_info("sockname")[1])

    def _sound(self) -> None:
        """Send 20 ms; a key in their place takes eight packets at once, some of them twice."""
        if self._keys:
            event = KEYS.index(chr(self._keys.pop(0)))
            for step in (1, 2, 2, 3, 4, 5, 5, 5):
                self._packet(KEY_TYPE, struct.pack("!BBH", event, 0x80 if step == 5 else 10, step * FRAME))
            self._timestamp += 6 * FRAME
        frame, self._speech = bytes(self._speech[:FRAME]), self._speech[FRAME:]
        self._packet(self._payload_type, frame.ljust(FRAME, SILENCE[self._encoding]))
        self._timestamp += FRAME

    def _packet(self, kind: int, payload: bytes) -> None:
        assert self.rtp is not None
        self._sequence += 1
        header = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, self._ssrc)
        self.rtp.sendto(header + payload, self.media)


@asynccontextmanager
async def telephone(target: tuple[str, int], *, encoding: Encoding = Encoding.MULAW) -> AsyncIterator[SipCaller]:
    """Give a telephone that calls a place; it vanishes at the end, hung up or not."""
    loop, caller = asyncio.get_running_loop(), SipCaller(target, encoding)
    sip, _ = await loop.create_datagram_endpoint(lambda: _Receiver(caller.told), local_addr=(HOST, 0))
    rtp, _ = await loop.create_datagram_endpoint(lambda: _Receiver(caller.hear), local_addr=(HOST, 0))
    caller.open(sip, rtp)
    ticking = asyncio.create_task(caller.tick(), name="telephone")
    try:
        yield caller
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        sip.close()
        rtp.close()

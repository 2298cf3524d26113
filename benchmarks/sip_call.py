"""A telephone of the SIP benchmark: its signalling, and what came to it, with the times at which the kernel had it."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys
import time
from array import array
from dataclasses import dataclass, field
from uuid import uuid4

FRAME = 160
HOST = "127.0.0.1"
ANSWER_S = 10.0
AGAIN_S = 0.5
_NANOSECONDS = 35  # SO_TIMESTAMPNS of Linux
_BUFFER = 1 << 20
_TONE = bytes((0x9A, 0x8F, 0x8A, 0x8F, 0x9A, 0x1A, 0x0F, 0x0A, 0x0F, 0x1A)) * (FRAME // 10)
"""800 Hz in µ-law."""


@dataclass(slots=True)
class Arrivals:
    """RTP that came to one port."""

    at: array[float] = field(default_factory=lambda: array("d"))
    """Seconds of the machine's clock."""
    sequences: array[int] = field(default_factory=lambda: array("L"))
    silent: array[int] = field(default_factory=lambda: array("b"))
    """1 where a packet is silence."""


class Port:
    """A UDP port of ours; with ``arrivals`` packets are noted, and when the kernel had them."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, _NANOSECONDS, 1)
        self._socket.bind((HOST, 0))
        self.number: int = self._socket.getsockname()[1]
        self.arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def send(self, data: bytes, place: tuple[str, int]) -> None:
        """Send a packet; where there is no room for it, it is lost, as on a network."""
        try:
            self._socket.sendto(data, place)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        try:
            while True:
                data, told, _, _ = self._socket.recvmsg(2048, 64)
                at = struct.unpack("qq", told[0][2][:16]) if told else None
                self.arrivals.at.append(at[0] + at[1] / 1e9 if at else self._loop.time())
                self.arrivals.sequences.append(int.from_bytes(data[2:4], "big"))
                self.arrivals.silent.append(data[12:].count(0xFF) == FRAME)
        except BlockingIOError:
            return


class Telephone:
    """Calls, talks in a tone, hangs up."""

    def __init__(self, target: tuple[str, int], called: str) -> None:
        """``target`` is where SIP is; ``called`` the number."""
        self.media, self.bare = Port(Arrivals()), Port(Arrivals())
        self._target, self._called = target, called
        self._tag, self._call_id, self._to = uuid4().hex[:8], uuid4().hex, ""
        self._agent: tuple[str, int] = (HOST, 0)
        self._sent = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))

    async def call(self) -> float:
        """Be put through; return the seconds from INVITE to 200. Raises RuntimeError if the call is refused."""
        offer = (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {self.media.number} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        began = time.perf_counter()
        answer = await self._ask("INVITE", 1, offer)
        took = time.perf_counter() - began
        if not answer.startswith("SIP/2.0 200"):
            self._send("ACK", 1, branch="INVITE1")
            raise RuntimeError(answer.splitlines()[0])
        self._to = re.search(r"^To:.*?(;tag=[^;\r\n]+)", answer, re.MULTILINE | re.IGNORECASE)[1]  # type: ignore[index]
        self._send("ACK", 1)
        port = re.search(r"^m=audio (\d+)", answer, re.MULTILINE)
        self._agent = (HOST, int(port[1]) if port else 0)
        return took

    def talk(self) -> None:
        """Send the next 20 ms."""
        self._sent += 1
        header = struct.pack("!BBHII", 0x80, 0, self._sent & 0xFFFF, self._sent * FRAME, 0x51B0)
        self.media.send(header + _TONE, self._agent)

    async def hang_up(self) -> None:
        """End the call."""
        try:
            await self._ask("BYE", 2)
        finally:
            self._socket.close()
            self.media.close()
            self.bare.close()

    async def _ask(self, method: str, number: int, body: str = "") -> str:
        """Return the final answer to a request, which is sent until there is any."""
        wait_s = AGAIN_S
        async with asyncio.timeout(ANSWER_S):
            while True:
                self._send(method, number, body)
                try:
                    async with asyncio.timeout(wait_s):
                        return await self._answer(f"{number} {method}")
                except TimeoutError:
                    wait_s *= 2

    async def _answer(self, sequence: str) -> str:
        while True:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
            text = data.decode(errors="replace")
            if f"CSeq: {sequence}" in text and not text.startswith("SIP/2.0 1"):
                return text

    def _send(self, method: str, number: int, body: str = "", branch: str = "") -> None:
        host, port = self._target
        ours = f"{HOST}:{self._socket.getsockname()[1]}"
        lines = [
            f"{method} sip:{self._called}@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {ours};branch=z9hG4bK{self._call_id}{branch or f'{method}{number}'};rport",
            f"From: <sip:+12025550111@{ours}>;tag={self._tag}",
            f"To: <sip:{self._called}@{host}:{port}>{self._to}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:caller@{ours}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendto("\r\n".join([*lines, "", body]).encode(), self._target)

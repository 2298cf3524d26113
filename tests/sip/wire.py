"""What goes over the loopback interface: RTP to the ports of a client that keeps no recording of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from environment import missing

from voicebackend.codecs import Encoding, open_codec

RATE = 8000
_IP = 14
_SENT = 4  # PACKET_OUTGOING: loopback shows every packet twice
_BUFFER = 8 << 20


@dataclass(slots=True)
class Stream:
    """RTP to one port, in the order of its arrival."""

    at: list[float] = field(default_factory=list)
    """Seconds of the event loop's clock."""
    packets: list[bytes] = field(default_factory=list)

    @property
    def pcm(self) -> bytes:
        """What it says, 8 kHz."""
        codec = open_codec(Encoding.MULAW, RATE)
        return b"".join(codec.decode(packet[12:]) for packet in self.packets if packet[1] & 0x7F == 0)

    @property
    def gaps_s(self) -> list[float]:
        """Seconds from each packet to the next."""
        return [after - before for before, after in pairwise(self.at)]

    @property
    def mean_gap_s(self) -> float:
        """Seconds between packets."""
        return (self.at[-1] - self.at[0]) / (len(self.at) - 1)


class Wire:
    """The streams so far, by port."""

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}

    def take(self, frame: bytes, at: float) -> None:
        """Keep a frame if it is RTP over UDP and IPv4."""
        ip = frame[_IP:]
        if len(ip) < 40 or ip[0] != 0x45 or ip[9] != socket.IPPROTO_UDP or ip[28] >> 6 != 2:
            return
        port = struct.unpack_from("!H", ip, 22)[0]
        stream = self.streams.setdefault(port, Stream())
        stream.at.append(at)
        stream.packets.append(ip[28:])

    def to(self, port: int) -> Stream:
        """Return what went to a port."""
        return self.streams.get(port, Stream())


@asynccontextmanager
async def listening() -> AsyncIterator[Wire]:
    """Listen on the loopback interface meanwhile; who may not do so, or has none such, lacks a peer."""
    try:
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(0x0800))
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        ear.bind(("lo", 0))
    except (AttributeError, OSError) as error:
        missing("raw socket", type(error).__name__)
    loop, wire = asyncio.get_running_loop(), Wire()

    def read() -> None:
        try:
            while True:
                frame, address = ear.recvfrom(2048)
                if address[2] != _SENT:
                    wire.take(frame, loop.time())
        except BlockingIOError:
            return

    loop.add_reader(ear, read)
    try:
        yield wire
    finally:
        loop.remove_reader(ear)
        ear.close()

"""Sockets of SIP: datagrams and connections in, with where they come from; what is sent goes back the same way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from control.telephony.sip.events import Source
from control.telephony.sip.framing import Framer, Unframeable
from control.telephony.sip.settings import ListenAddress
from voicebackend.errors import InvalidConfig

logger = logging.getLogger(__name__)

READ_S = 10.0
"""Seconds in which a message that has begun must be whole."""
IDLE_S = 7200.0
"""Seconds that a connection may be silent."""
MAX_CONNECTIONS = 256
MAX_UNSENT = 256 * 1024
"""Bytes that a connection's far side may leave unread."""
_CHUNK = 16 * 1024

Take = Callable[[bytes, Source], None]
"""What is done with a message; it does not raise."""


class DatagramSocket(asyncio.DatagramProtocol):
    """One socket of UDP."""

    def __init__(self, number: int, take: Take) -> None:
        self._number, self._take = number, take
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport; it is none of asyncio's own classes everywhere."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take a datagram."""
        if addr[1]:  # nothing can be sent to port 0
            self._take(data, Source(addr[0], addr[1], "udp", self._number))

    def error_received(self, exc: Exception) -> None:
        """Go on: somebody's machine does not take what was sent."""
        del exc

    def send(self, data: bytes, source: Source) -> None:
        """Send to where a datagram came from."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, (source.host, source.port))

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


class StreamServer:
    """One listening socket of TCP, and its connections."""

    def __init__(self, numbers: Callable[[], int], take: Take, is_stranger: Callable[[str], bool]) -> None:
        self._numbers, self._take, self._is_stranger = numbers, take, is_stranger
        self._open: dict[int, asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    async def start(self, address: ListenAddress) -> int:
        """Listen, and return the port; raises OSError."""
        self._server = await asyncio.start_server(self._serve, str(address.host), address.port, limit=_CHUNK)
        return int(self._server.sockets[0].getsockname()[1])

    def send(self, data: bytes, source: Source) -> bool:
        """Send by the connection of a source, and tell whether it is one of these."""
        writer = self._open.get(source.connection)
        if writer is None:
            return False
        if writer.transport.get_write_buffer_size() > MAX_UNSENT:
            writer.transport.abort()
        elif not writer.is_closing():
            writer.write(data)
        return True

    async def close(self) -> None:
        """Close the socket and all connections."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open.values()):
                writer.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("peername", ("", 0))[:2]
        if not host or len(self._open) >= MAX_CONNECTIONS or self._is_stranger(host):
            writer.transport.abort()
            return
        source = Source(host, port, "tcp", self._numbers())
        self._open[source.connection] = writer
        try:
            await self._read(reader, source)
        except (OSError, TimeoutError, Unframeable):
            logger.info("connection of SIP given up")
        finally:
            del self._open[source.connection]
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, source: Source) -> None:
        framer, now = Framer(), asyncio.get_running_loop().time
        until = now() + IDLE_S
        while True:
            async with asyncio.timeout_at(until):
                data = await reader.read(_CHUNK)
            if not data:
                return
            was_partial = framer.is_partial
            messages = framer.feed(data)
            for message in messages:
                self._take(message, source)
            if not framer.is_partial:
                until = now() + IDLE_S
            elif messages or not was_partial:
                until = now() + READ_S


async def datagrams(address: ListenAddress, number: int, take: Take) -> tuple[DatagramSocket, int]:
    """Open a socket of UDP, and return it with its port; raises OSError."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: DatagramSocket(number, take), local_addr=(str(address.host), address.port)
    )
    return protocol, int(transport.get_extra_info("sockname")[1])


def cannot_listen(address: ListenAddress, error: OSError) -> InvalidConfig:
    """Return what says why a socket could not be opened."""
    message = f"sip.listen: cannot listen on {address.transport}:{address.host}:{address.port}: {error.strerror}"
    return InvalidConfig("start", message, details={"field": "sip.listen"})

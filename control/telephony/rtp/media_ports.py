"""UDP sockets for calls' media, at even ports of one range."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from control.telephony.rtp.packet import MAX_DATAGRAM, Place
from voicebackend.errors import SessionLimitExceeded

_TOS = 0xB8
"""Expedited forwarding (RFC 4594), for networks that care."""
_BUFFER = 256 * 1024
"""Bytes of a socket's buffers: more than a second of audio while the loop is held up."""

_AT_ONCE = 16
"""Datagrams that are read before other calls have their turn."""


class MediaPorts:
    """Gives ports out in turn, so that one that was freed is not soon another call's."""

    def __init__(self, host: IPv4Address | IPv6Address, first: int, last: int) -> None:
        """``host`` is the address to listen at; ``first`` and ``last`` bound the ports, both inclusive."""
        self._host, self._family = str(host), socket.AF_INET if host.version == 4 else socket.AF_INET6  # noqa: PLR2004
        self._free = deque(range(first + first % 2, last + 1, 2))

    def __repr__(self) -> str:
        return f"<MediaPorts [{len(self._free)} free]>"

    def open(self) -> MediaPort:
        """Return a socket at a port of its own.

        Raises:
            SessionLimitExceeded: no port is free.

        """
        for _ in range(len(self._free)):
            port = self._free.popleft()
            try:
                return MediaPort(self._bound(port), port, self._free.append)
            except OSError:  # another program's: it may be free later
                self._free.append(port)
        raise SessionLimitExceeded("sip", "no media port is free: widen sip.media_ports")

    def _bound(self, port: int) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            if self._family == socket.AF_INET:
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _TOS)
            made.bind((self._host, port))
        except BaseException:
            made.close()
            raise
        return made


class MediaPort:
    """One call's socket. Nothing that comes or fails to go closes it."""

    def __init__(self, opened: socket.socket, port: int, free: Callable[[int], None]) -> None:
        self._socket, self._free = opened, free
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self.port = port

    def __repr__(self) -> str:
        return f"<MediaPort {self.port} [{'open' if self._is_open else 'closed'}]>"

    def listen(self, on_datagram: Callable[[bytes, Place], None]) -> None:
        """Call this with what comes, in the event loop; it must not raise."""
        self._loop.add_reader(self._socket, self._read, on_datagram)

    def send(self, data: bytes, place: Place) -> None:
        """Send, or lose it, as networks do."""
        with suppress(OSError):
            self._socket.sendto(data, place)

    def close(self) -> None:
        """Give the port back; again does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._free(self.port)

    def _read(self, on_datagram: Callable[[bytes, Place], None]) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, address = self._socket.recvfrom(MAX_DATAGRAM + 1)
            except OSError:  # nothing more, or the word of an earlier packet's failure
                return
            on_datagram(data, (address[0], address[1]))
            if not self._is_open:
                return

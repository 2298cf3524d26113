"""A listener of SIP on free ports of loopback, and phones that speak to it by datagrams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from control.telephony.sip.events import Event
from control.telephony.sip.listener import Listener
from control.telephony.sip.settings import SipSettings
from control.telephony.sip.trunks import TrunkAccess
from control.telephony.sip.user_agent import UserAgentServer

SOON_S = 10.0
"""Seconds for what takes milliseconds, where the machine is busy."""
LOCAL = {"local": TrunkAccess((ip_network("127.0.0.0/8"),))}


class Phone:
    """Speaks UDP from a socket of its own."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        """Send a datagram."""
        self._socket.send(data)

    async def heard(self, begin: bytes) -> bytes:
        """Return the next datagram that begins so."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SOON_S):
            while not (data := await loop.sock_recv(self._socket, 65536)).startswith(begin):
                pass
        return data

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Site:
    """A listener on free ports, and what it told."""

    def __init__(self, trunks: Mapping[str, TrunkAccess] = LOCAL, **more: Any) -> None:
        settings = SipSettings.model_validate({"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]})
        self.agent = UserAgentServer(settings, trunks, secret=b"s" * 32)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.on_event: Callable[[Event], None] = self.events.put_nowait
        self.listener = Listener(self.agent, settings.listen, self._hear, **more)

    @property
    def ports(self) -> dict[str, int]:
        """Return the ports by their transport."""
        return {place.transport: place.port for place in self.listener.places}

    def _hear(self, event: Event) -> None:
        self.on_event(event)

    async def told(self) -> Event:
        """Return the next event."""
        async with asyncio.timeout(SOON_S):
            return await self.events.get()


@asynccontextmanager
async def site(trunks: Mapping[str, TrunkAccess] = LOCAL, **more: Any) -> AsyncIterator[Site]:
    """Run a listener."""
    made = Site(trunks, **more)
    await made.listener.start()
    try:
        yield made
    finally:
        await made.listener.close()


@asynccontextmanager
async def phone(port: int) -> AsyncIterator[Phone]:
    """Have a phone."""
    made = Phone(port)
    try:
        yield made
    finally:
        made.close()

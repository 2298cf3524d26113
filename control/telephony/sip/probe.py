"""Whether a socket of ours answers: asked as anybody asks, by an OPTIONS. A process that runs may have lost it."""

from __future__ import annotations

import asyncio
import secrets
import socket

from control.telephony.sip.settings import ListenAddress

PROBE_S = 1.0
"""Seconds that an answer may take."""


async def answers(place: ListenAddress, call_id: str) -> bool:
    """Tell whether the socket at a place answers; ``call_id`` is what the user agent knows the question by."""
    try:
        async with asyncio.timeout(PROBE_S):
            return await (_by_datagram if place.transport == "udp" else _by_stream)(place, call_id)
    except (OSError, TimeoutError):
        return False


async def _by_datagram(place: ListenAddress, call_id: str) -> bool:
    loop = asyncio.get_running_loop()
    host = _host(place)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        await loop.sock_connect(asking, (host, place.port))
        await loop.sock_sendall(asking, _question(place, call_id))
        return (await loop.sock_recv(asking, 4096)).startswith(b"SIP/2.0 200 ")


async def _by_stream(place: ListenAddress, call_id: str) -> bool:
    reader, writer = await asyncio.open_connection(_host(place), place.port)
    try:
        writer.write(_question(place, call_id))
        return (await reader.readline()).startswith(b"SIP/2.0 200 ")
    finally:
        writer.close()


def _host(place: ListenAddress) -> str:
    if place.host.is_unspecified:
        return "::1" if place.host.version == 6 else "127.0.0.1"  # noqa: PLR2004
    return str(place.host)


def _question(place: ListenAddress, call_id: str) -> bytes:
    host = f"[{place.host}]" if place.host.version == 6 else str(place.host)  # noqa: PLR2004
    return (
        f"OPTIONS sip:{host} SIP/2.0\r\n"
        f"Via: SIP/2.0/{place.transport.upper()} {host};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:probe@{host}>;tag={secrets.token_hex(4)}\r\n"
        f"To: <sip:probe@{host}>\r\n"
        f"Call-ID: {call_id}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()

"""UDP sockets for calls' media."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address

import pytest

from control.telephony.rtp.media_ports import MediaPort, MediaPorts
from control.telephony.rtp.packet import MAX_DATAGRAM, Place
from voicebackend.errors import SessionLimitExceeded

HOST = IPv4Address("127.0.0.1")


def free_range(size: int) -> tuple[int, int]:
    """Return the first and the last of so many ports that are free now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((str(HOST), 0))
            first = int(probe.getsockname()[1])
        if first + size < 65535:
            return first, first + size


async def test_calls_get_even_ports_and_ports_that_are_freed_are_used_again() -> None:
    """A port that another program has is passed over; when none is left, that is told."""
    first, last = free_range(9)
    ports = MediaPorts(HOST, first, last)
    opened: list[MediaPort] = []

    def open_all() -> None:
        for _ in range(10):
            opened.append(ports.open())  # noqa: PERF401 - what was opened is needed when one fails

    with pytest.raises(SessionLimitExceeded, match="media_ports"):
        open_all()
    assert opened
    assert all(port.port % 2 == 0 and first <= port.port <= last for port in opened)
    assert len({port.port for port in opened}) == len(opened)
    freed = opened.pop(0)
    freed.close()
    freed.close()
    again = ports.open()
    assert again.port == freed.port
    for port in [*opened, again]:
        port.close()


async def test_datagrams_come_and_go_and_what_cannot_be_sent_closes_nothing() -> None:
    """Neither an impossible place nor a datagram that is too long, nor one that nobody takes."""
    ports = MediaPorts(HOST, *free_range(20))
    here, there = ports.open(), ports.open()
    heard: asyncio.Queue[tuple[bytes, Place]] = asyncio.Queue()
    there.listen(lambda data, place: heard.put_nowait((data, place)))
    here.send(b"x" * 70_000, ("127.0.0.1", there.port))
    here.send(b"lost", ("127.0.0.1", 9))
    here.send(b"", ("127.0.0.1", there.port))
    here.send(b"y" * 4000, ("127.0.0.1", there.port))
    here.send(b"hello", ("127.0.0.1", there.port))
    async with asyncio.timeout(10):
        received = [await heard.get() for _ in range(3)]
    assert [len(data) for data, _ in received] == [0, MAX_DATAGRAM + 1, 5]
    assert received[-1][1] == ("127.0.0.1", here.port)
    here.close()
    there.close()
    here.send(b"after the end", ("127.0.0.1", there.port))

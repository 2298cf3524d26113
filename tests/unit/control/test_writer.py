"""The writing side of a caller's socket, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from control.gateway.handshake import CallerGone
from control.gateway.writer import SEND_S, Writer
from voicebackend import virtual_time


@dataclass
class Socket:
    """A socket whose other end takes each message after so many seconds."""

    takes_s: float
    taken: list[bytes | str] = field(default_factory=list)

    async def send_bytes(self, data: bytes) -> None:
        """Take audio."""
        await asyncio.sleep(self.takes_s)
        self.taken.append(data)

    async def send_str(self, text: str) -> None:
        """Take text, unless the line is dead."""
        if text == "dead":
            raise ConnectionResetError
        await self.send_bytes(text.encode())


def test_a_message_that_is_not_taken_ends_the_patience_to_the_millisecond() -> None:
    """However long the socket was quiet before; and who gave up is told once."""

    async def scenario() -> None:
        given_up: list[float] = []
        loop = asyncio.get_running_loop()
        writer = Writer(cast("Any", Socket(takes_s=1000)), lambda: given_up.append(loop.time()))
        with writer:
            await asyncio.sleep(SEND_S * 1.4)
            begun = loop.time()
            sending = asyncio.create_task(writer.send(b"audio"))
            await asyncio.sleep(SEND_S * 4)
        assert given_up == [pytest.approx(begun + SEND_S, abs=0.001)]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    virtual_time.run(scenario())


def test_who_reads_slowly_but_reads_is_not_given_up() -> None:
    """Each message has its time: a hundred of them have a hundred times."""

    async def scenario() -> None:
        given_up: list[bool] = []
        socket = Socket(takes_s=SEND_S * 0.9)
        writer = Writer(cast("Any", socket), lambda: given_up.append(True))
        with writer:
            for _ in range(100):
                await writer.send(b"audio")
        assert (len(socket.taken), given_up) == (100, [])

    virtual_time.run(scenario())


def test_a_writer_that_is_left_looks_no_more() -> None:
    """Its socket may take all the time it wants."""

    async def scenario() -> None:
        given_up: list[bool] = []
        writer = Writer(cast("Any", Socket(takes_s=SEND_S * 3)), lambda: given_up.append(True))
        with writer:
            sending = asyncio.create_task(writer.send("text"))
            await asyncio.sleep(SEND_S / 2)
        await sending
        assert given_up == []

    virtual_time.run(scenario())


def test_a_dead_line_is_a_caller_that_is_gone() -> None:
    """Whatever the socket's own error is."""

    async def scenario() -> None:
        writer = Writer(cast("Any", Socket(takes_s=0)), lambda: None)
        with pytest.raises(CallerGone):
            await writer.send("dead")

    virtual_time.run(scenario())

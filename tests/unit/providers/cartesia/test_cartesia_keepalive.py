"""Silence on a connection that is quiet for too long."""

from __future__ import annotations

import asyncio

from providers.cartesia.keepalive import QUIET_S, Keepalive
from voicebackend import virtual_time
from voicebackend.errors import ConnectionFailed


def test_something_is_sent_whenever_it_was_quiet_for_a_while() -> None:
    """Not while audio is sent, and not after the end."""
    sent: list[float] = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time

        async def send() -> None:
            sent.append(clock())

        keepalive = Keepalive(send, name="test")
        await asyncio.sleep(QUIET_S - 5)
        keepalive.sent()
        await asyncio.sleep(2.5 * QUIET_S)
        keepalive.stop()
        await asyncio.sleep(3 * QUIET_S)

    virtual_time.run(main())
    assert sent == [2 * QUIET_S - 5, 3 * QUIET_S - 5]


def test_a_broken_connection_ends_it() -> None:
    """Who reads from it tells why."""
    tries: list[None] = []

    async def main() -> None:
        async def send() -> None:
            tries.append(None)
            raise ConnectionFailed("test")

        Keepalive(send, name="test")
        await asyncio.sleep(5 * QUIET_S)
        assert {task.get_name() for task in asyncio.all_tasks()} & {"test"} == set()

    virtual_time.run(main())
    assert len(tries) == 1

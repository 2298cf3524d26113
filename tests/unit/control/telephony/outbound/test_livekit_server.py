"""A real LiveKit server reads what we ask of its SIP service; without the service itself it can call nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import livekit_peer
import pytest
from fakeredis import FakeAsyncRedis

from control.telephony.outbound.carrier import DialOrder
from control.telephony.outbound.carriers.livekit_sip import LiveKitSip
from voicebackend.cli.stack import free_port
from voicebackend.errors import ConnectionFailed, SessionNotActive
from voicebackend.keys import Keys

pytestmark = [pytest.mark.peers, pytest.mark.timeout(1900)]
START_S = 30.0
ORDER = DialOrder(
    call="c1",
    attempt=1,
    trunk="lk",
    from_="+14155550100",
    to="+14155550123",
    ring_s=25,
    answer_url="",
    status_url="",
    session="0" * 31 + "a",
)


@pytest.fixture
async def calls() -> AsyncIterator[LiveKitSip]:
    """Give a client of a server on loopback: no media flow here."""
    binary, port = await asyncio.to_thread(livekit_peer.server), free_port()
    config = f"port: {port}\nrtc:\n  tcp_port: {free_port()}\n  udp_port: {free_port()}\nlogging:\n  level: error\n"
    process = await asyncio.create_subprocess_exec(
        *(str(binary), "--bind", "127.0.0.1", "--node-ip", "127.0.0.1"),
        *("--keys", f"{livekit_peer.KEY}: {livekit_peer.SECRET}", "--config-body", config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    client = LiveKitSip(
        livekit_peer.KEY,
        livekit_peer.SECRET,
        url=f"ws://127.0.0.1:{port}",
        sip_trunk="ST_1",
        room_name="room-{session_id}",
        redis=FakeAsyncRedis(),
        keys=Keys("p"),
    )
    try:
        await _until_up(f"http://127.0.0.1:{port}/")
        yield client
    finally:
        await client.aclose()
        process.kill()
        await process.wait()


async def _until_up(url: str) -> None:
    async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.05)


async def test_the_server_takes_our_tokens_and_requests(calls: LiveKitSip) -> None:
    """It knows of nobody whom it could end or hand over, and has no SIP service to call by."""
    with pytest.raises(ConnectionFailed) as refused:
        await calls.dial(ORDER)
    assert refused.value.details["status"] == 500  # "sip not connected": neither 400 nor 401
    with pytest.raises(ConnectionFailed, match="nobody is in the room"):
        await calls.find(ORDER)
    await calls.hang_up("room-x")
    with pytest.raises(SessionNotActive):
        await calls.transfer("room-x", "+14155550199", back_url="")

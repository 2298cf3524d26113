"""Redis hangs while a caller is on the line: what is said waits, what is here to be heard plays on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway_calls import TONE, a_call
from redis_roles import RedisRoles

from voicebackend.streams import Kind

FRAME = 640
"""Bytes in 20 ms at 16 kHz."""


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Stop processes, and let them go on."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_what_is_said_while_redis_hangs_arrives_once_and_in_order(
    api: Any, worker: Any, roles: RedisRoles, until: Any
) -> None:
    """Two seconds and a key, by their numbers, while the agent's audio goes on."""
    async with a_call(api) as (session, ws, _):
        worker.say(session, 1, TONE * 10)
        heard = len((await ws.receive(timeout=5)).data)
        await ws.send_bytes(bytes(FRAME))
        await until(lambda: len(worker.heard(session, Kind.AUDIO_IN)) == 1)
        with frozen(roles.audio_pids()):
            for number in range(1, 101):
                await ws.send_bytes(bytes([number, 0]) * (FRAME // 2))
                if number == 50:
                    await ws.send_json({"type": "dtmf", "digit": "5"})
                await asyncio.sleep(0.02)
            while heard < len(TONE) * 10:
                heard += len((await ws.receive(timeout=5)).data)
        await until(lambda: len(worker.heard(session, Kind.AUDIO_IN)) >= 101, within_s=10)
        frames = {frame.seq: frame for frame in worker.heard(session, Kind.AUDIO_IN)}
        assert [frames[seq].payload[0] for seq in sorted(frames)] == list(range(101))
        assert len({frame.seq for frame in worker.heard(session, Kind.DTMF)}) == 1
        assert worker.heard(session, Kind.DETACH) == []

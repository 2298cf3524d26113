"""What callers' sockets tell a worker: each word counts once, and the newest socket has the call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Kind
from worker.service import serve


@pytest.fixture
async def caller(
    deployment: Deployment, redis: Redis, audio: Redis, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    """Give an attached caller of a real worker that looks for gateways often."""
    monkeypatch.setattr("worker.gateways.LOOK_S", 0.3)
    tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])
    config = BackendConfig(provider="mock", max_concurrent_sessions=8)
    async with serve(config, deployment, publisher=tasks) as worker:
        lane = tasks.lane = min(worker.lanes)
        caller = Caller(deployment, redis, audio, lane)
        await caller.place(worker.lanes[lane].epoch, worker=worker.id)
        await caller.attach()
        await caller.until("state", state="listening")
        yield caller
        await caller.close()


async def test_a_session_whose_gateway_died_waits_for_its_caller(
    caller: Caller, audio: Redis, deployment: Deployment
) -> None:
    """Nobody told that the socket is gone, but the gateway's inbox is; who comes back by another is heard."""
    await eventually(lambda: _said(caller, "active", 1))
    await audio.delete(deployment.keys.inbox(caller.inbox))
    await eventually(lambda: _said(caller, "ready", 2))
    await caller.send(Kind.ATTACH, {"inbox": "elsewhere", "sample_rate": 16_000}, attachment=2)
    await eventually(lambda: _said(caller, "active", 2))
    await caller.send(Kind.DETACH, {"stopped": True}, attachment=2)
    await eventually(lambda: _ended(caller, "hangup"))


async def _said(caller: Caller, state: str, times: int) -> bool:
    return [entry.get("state") for entry in await caller.log()].count(state) == times


async def _ended(caller: Caller, reason: str) -> bool:
    return (await caller.log())[-1] == {"type": "ended", "reason": reason}


async def test_a_key_that_is_told_twice_was_pressed_once(caller: Caller) -> None:
    """A write of which nobody knows whether it arrived is made again; the socket's numbers tell."""
    for seq, digit in ((2, "1"), (3, "1"), (2, "1"), (3, "1"), (4, "#")):
        await caller.send(Kind.DTMF, {"digit": digit}, seq=seq)
    await caller.send(Kind.DETACH, {"stopped": True}, seq=5)
    await eventually(lambda: _ended(caller, "hangup"))
    assert [entry["digit"] for entry in await caller.log() if entry["type"] == "dtmf"] == ["1", "1", "#"]


async def test_a_caller_who_comes_back_by_another_gateway_is_let_go_by_the_first(caller: Caller) -> None:
    """The socket that was replaced hears of it, wherever it is; the session goes on with the new one."""
    elsewhere = {"inbox": "elsewhere", "sample_rate": 16_000}
    await caller.send(Kind.ATTACH, elsewhere, attachment=2)
    await caller.until("replaced")
    assert caller.frames[-1].attachment == 1
    await caller.send(Kind.DETACH, {"stopped": True}, attachment=2)
    await eventually(lambda: _ended(caller, "hangup"))

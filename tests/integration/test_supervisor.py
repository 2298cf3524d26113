"""Real workers under a real supervisor: killed, worn, asked to end, left alone."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from redis.asyncio import Redis
from supervisor_harness import Workers, call_into, holders, running_workers
from worker_harness import eventually

from control.sessions.workers import relieve_worker
from voicebackend.settings import Deployment

pytestmark = pytest.mark.integration


async def test_lanes_of_a_killed_worker_are_free_at_once_and_another_worker_is_started(
    deployment: Deployment, redis: Redis
) -> None:
    """Nobody waits for its leases to lapse; its sibling notices nothing."""
    async with running_workers(deployment, "--processes", "2") as workers:
        pids = await workers.ready(2)
        victim, sibling = pids
        os.kill(pids[victim], signal.SIGKILL)
        ended = await workers.until("worker process ended", worker=victim, code=-9)
        freed = await workers.until("lanes given free", worker=victim)
        assert len(freed["lanes"]) == 4
        assert freed["time"] - ended["time"] < 1.0, "the leases would have lapsed by then"
        assert await redis.exists(deployment.keys.worker(victim)) == 0
        await workers.ready(3)
        held = await holders(redis, deployment)
        assert sibling in held
        assert victim not in held
        assert len(held) == 2


async def test_sigterm_drains_one_worker_after_the_other(deployment: Deployment, redis: Redis) -> None:
    """While one ends, the other can take its calls; nothing is left, and the exit code says so."""
    async with running_workers(deployment, "--processes", "2") as workers:
        await workers.ready(2)
        workers.signal(signal.SIGTERM)
        assert await workers.process.wait() == 0
        order = [line["message"] for line in workers.lines if line["message"] in {"stopping", "worker process ended"}]
        assert order == ["stopping", *["stopping", "worker process ended"] * 2]
        assert await holders(redis, deployment) == {}
        assert await redis.zcard(deployment.keys.workers()) == 0


async def test_a_worker_that_is_relieved_hands_its_call_to_a_fresh_one(
    deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """Which is ready before the other goes; the caller stays."""
    async with running_workers(deployment) as workers:
        worker = next(iter(await workers.ready(1)))
        caller = await call_into(worker, deployment, redis, audio)
        await relieve_worker(redis, deployment.keys, worker)
        await workers.until("worker process is replaced", worker=worker, why="relieved")
        await workers.until("worker process ended", worker=worker, code=0)
        [fresh] = set(await workers.ready(2)) - {worker}
        assert list(await holders(redis, deployment)) == [fresh]
        assert await caller.state() == "active"
        assert not [event for event in caller.events if event["type"] == "ended"]
        await caller.close()


async def test_a_worker_without_supervisor_ends_when_it_is_relieved(deployment: Deployment, redis: Redis) -> None:
    """Whatever started it starts it again; nothing is left of it."""
    async with running_workers(deployment, "--processes", "0") as workers:
        ready = await workers.until("worker ready")
        await relieve_worker(redis, deployment.keys, str(ready["worker"]))
        assert await asyncio.wait_for(workers.process.wait(), 30) == 0
        assert await redis.keys(deployment.keys.worker("*")) == []


async def test_a_caller_is_told_that_the_last_worker_ends(deployment: Deployment, redis: Redis, audio: Redis) -> None:
    """The call is handed on from worker to worker; the last has nobody to hand it to."""
    async with running_workers(deployment, "--processes", "2") as workers:
        first = next(iter(await workers.ready(2)))
        caller = await call_into(first, deployment, redis, audio)
        workers.signal(signal.SIGTERM)
        assert await workers.process.wait() == 0
        await caller.until("ended", reason="shutdown")
        await caller.close()


async def test_a_second_sigterm_does_not_wait(deployment: Deployment, redis: Redis) -> None:
    """Not even for a worker that is stopped and cannot end by itself."""
    async with running_workers(deployment) as workers:
        [(worker, pid)] = (await workers.ready(1)).items()
        os.kill(pid, signal.SIGSTOP)
        workers.signal(signal.SIGTERM)
        await workers.until("stopping", service="supervisor")
        workers.signal(signal.SIGTERM)
        assert await workers.process.wait() == 0
        assert workers.said("worker process ended", worker=worker, code=-9)
        assert await holders(redis, deployment) == {}


async def test_workers_end_when_their_supervisor_is_killed(deployment: Deployment, redis: Redis) -> None:
    """They hand over and give everything back, as if they had been asked to."""
    async with running_workers(deployment, "--processes", "2") as workers:
        await workers.ready(2)
        workers.signal(signal.SIGKILL)
        await workers.until("supervisor is gone", times=2)
        await workers.until("worker stopped", times=2)
        assert await holders(redis, deployment) == {}


@pytest.mark.parametrize("why", ["sessions", "asked"])
async def test_a_fresh_worker_holds_lanes_before_the_old_one_ends(
    why: str, deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """Of a process that ran as many sessions as it may, or of all when the supervisor is told to."""
    recycle = {"VOICEBACKEND_RECYCLE_SESSIONS": "1"} if why == "sessions" else {}
    async with running_workers(deployment, **recycle) as workers:
        [old] = await workers.ready(1)
        caller = await call_into(old, deployment, redis, audio) if why == "sessions" else None
        if why == "asked":
            workers.signal(signal.SIGHUP)
        await workers.until("worker process is replaced", worker=old, why=why)
        await workers.until("worker process ended", worker=old, code=0)
        assert position(workers, "worker ready", 1) < position(workers, "stopping", 0)
        assert old not in await holders(redis, deployment)
        if caller:
            await caller.close()


def position(workers: Workers, message: str, number: int) -> int:
    """Return where in the log this was said for the ``number``-th time, from 0."""
    return [place for place, line in enumerate(workers.lines) if line["message"] == message][number]


async def test_a_configuration_that_no_worker_can_start_with_ends_the_supervisor(deployment: Deployment) -> None:
    """Trying again would not help; whoever started it must see why."""
    async with running_workers(deployment, VOICEBACKEND_PROVIDER="nobody") as workers:
        assert await workers.process.wait() == 1
        assert workers.said("worker: ")
        assert "provider_not_found" in workers.said("worker: ")[0]["message"]
        assert "supervisor: " in workers.lines[-1]["message"]


async def test_a_worker_that_cannot_reach_redis_is_tried_again(deployment: Deployment) -> None:
    """Redis may come back; the supervisor does not give up."""
    nowhere = {f"VOICEBACKEND_{role}_URL": "unix:///nowhere/redis.sock" for role in ("STATE", "AUDIO")}
    async with running_workers(deployment, **nowhere) as workers:
        await workers.until("worker process is started again", times=2)
        assert workers.process.returncode is None


@pytest.mark.parametrize("arguments", [["--processes", "257"], ["--processes", "x"], ["--procesess", "1"]])
async def test_a_wrong_command_line_is_refused(deployment: Deployment, arguments: list[str]) -> None:
    """With a line that names what is wrong."""
    async with running_workers(deployment, *arguments) as workers:
        assert await workers.process.wait() in {1, 2}
        assert "roce" in workers.lines[-1]["message"].lower()
        assert not workers.said("worker process started")


async def test_without_processes_there_is_no_supervisor(deployment: Deployment, redis: Redis) -> None:
    """One worker in the process that was started."""
    async with running_workers(deployment, "--processes", "0") as workers:
        ready = await workers.until("worker ready")
        assert f"-{workers.process.pid}-" in ready["worker"]
        workers.signal(signal.SIGTERM)
        assert await workers.process.wait() == 0
        assert await holders(redis, deployment) == {}


async def test_a_worker_is_not_freed_of_lanes_that_another_holds(deployment: Deployment, redis: Redis) -> None:
    """What is given free are the dead one's leases only."""
    async with running_workers(deployment, "--processes", "2") as workers:
        pids = await workers.ready(2)
        victim, sibling = pids
        before = (await holders(redis, deployment))[sibling]
        os.kill(pids[victim], signal.SIGKILL)
        await workers.until("lanes given free", worker=victim)

        async def kept() -> bool:
            return set(before) <= set((await holders(redis, deployment))[sibling])

        await eventually(kept)

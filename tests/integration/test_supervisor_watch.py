"""A worker whose event loop hangs is noticed, tells where it hangs, and is replaced; one that is not, is left alone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis
from stuck import STUCK
from supervisor_harness import call_into, holders, running_workers

from voicebackend.settings import Deployment
from worker.supervisor.states import SILENCE_S

pytestmark = pytest.mark.integration
SPEECH = b"\x10\x20" * 3200


async def test_a_worker_that_a_hook_blocks_shows_its_stacks_and_is_replaced(
    deployment: Deployment, redis: Redis, audio: Redis, tmp_path: Path
) -> None:
    """The dump names the function that did not return."""
    switch = tmp_path / "stuck"
    switch.touch()
    environment = {STUCK: str(switch), "VOICEBACKEND_CUSTOM_PROCESSORS": '["stuck:stuck"]'}
    async with running_workers(deployment, **environment) as workers:
        [worker] = await workers.ready(1)
        caller = await call_into(worker, deployment, redis, audio)
        await caller.speak(SPEECH)
        await workers.until("worker process is stuck", worker=worker)
        await workers.until("block_the_event_loop")
        await workers.until("worker process ended", worker=worker, code=-9)
        await workers.until("worker ready", times=2)
        assert worker not in await holders(redis, deployment)
        await caller.close()


async def test_a_supervisor_that_was_stopped_takes_nobody_for_stuck(deployment: Deployment) -> None:
    """A suspended machine must not come back to killed workers."""
    async with running_workers(deployment) as workers:
        await workers.ready(1)
        workers.signal(signal.SIGSTOP)
        await asyncio.sleep(SILENCE_S + 2)  # time is what is tested
        workers.signal(signal.SIGCONT)
        await asyncio.sleep(2)
        assert not workers.said("worker process is stuck")
        workers.signal(signal.SIGTERM)
        assert await workers.process.wait() == 0

"""Stands in for Celery and pipeline between a worker's questions to the agent and the task that answers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from task_harness import LANE

from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import channel
from voicebackend._redis import connect
from voicebackend.sealing import Seal
from voicebackend.settings import Deployment
from voicebackend.tasks import Task
from worker.task_agent import TaskAgent
from worker.task_question import TaskQuestion

GUESS, FINAL = "a table for", "a table for two"


class Tasks:
    """A publisher whose tasks run here and now; some of the first can get lost."""

    def __init__(self, shared: TaskContext) -> None:
        self._shared, self.lost, self.published = shared, 0, 0
        self.running: list[asyncio.Task[None]] = []
        self.arguments: list[dict[str, Any]] = []

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Run the agent's task."""
        self.published += 1
        self.arguments.append(arguments)
        if self.published > self.lost:
            self.running.append(asyncio.create_task(AgentTurn(self._shared, **arguments).answer(), name=task.name))

    async def aclose(self) -> None:
        """Nothing to release."""


class Line:
    """One session: its agent as the worker asks it, and what the lane brings."""

    def __init__(self, shared: TaskContext, session: str) -> None:
        self.tasks, self._questions = Tasks(shared), list[TaskQuestion]()
        self.agent = TaskAgent(
            session,
            publisher=self.tasks,
            state=shared.state,
            keys=shared.keys,
            timeout_s=2,
            seal=Seal("of a test", session),
            audio=shared.wire,
        )
        self.redis, self.session, self.key = shared.state, session, shared.keys.turn(session, 1)

    def question(self, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> TaskQuestion:
        """Return a question of turn 1, asked once its deltas are read."""
        self._questions.append(self.agent.ask(1, transcript, voice=voice, speculative=speculative))
        return self._questions[-1]

    def ask(
        self, transcript: str, *, voice: bytes = b"", speculative: bool = False
    ) -> tuple[TaskQuestion, asyncio.Task[str]]:
        """Ask in turn 1; return the question and its coming answer."""
        question = self.question(transcript, voice=voice, speculative=speculative)

        async def answer() -> str:
            return "".join([text async for text in question.deltas()])

        return question, asyncio.create_task(answer(), name="answer")

    async def read(self, reader: channel.Reader) -> None:
        """Give every question every frame."""
        while True:
            for frame in await reader.frames():
                for question in self._questions:
                    question.deliver(frame)

    async def claimed(self, attempt: int) -> None:
        """Return once a task has this attempt."""
        async with asyncio.timeout(5):
            while int(await self.redis.hget(self.key, "claimed") or 0) < attempt:  # noqa: ASYNC110 - in Redis
                await asyncio.sleep(0.005)

    async def all_done(self) -> None:
        """Return once no task runs any more."""
        await asyncio.wait_for(asyncio.gather(*self.tasks.running), 5)


@asynccontextmanager
async def reading(line: Line, deployment: Deployment) -> AsyncIterator[None]:
    """Give the session's questions what comes over its lane."""
    async with connect(deployment.audio_url, timeout_s=None) as redis:
        reader, stream = channel.Reader(redis), deployment.keys.lane(LANE)
        reader.add(stream, await channel.create(redis, stream))
        lane = asyncio.create_task(line.read(reader), name="lane")
        try:
            yield
        finally:
            tasks = [lane, *line.tasks.running]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

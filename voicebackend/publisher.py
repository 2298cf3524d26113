"""How any process hands a task on: to Celery by name, or to the function itself where there is no Celery."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from redis.exceptions import RedisError

from voicebackend._importer import load
from voicebackend._redis import HOT_TIMEOUT_S, connect
from voicebackend._wire import Wire
from voicebackend.errors import ConnectionFailed
from voicebackend.json_logs import described
from voicebackend.retry import RetryPolicy, retrying
from voicebackend.settings import Deployment
from voicebackend.task_message import encode
from voicebackend.tasks import Queue, Task, celery_settings
from voicebackend.tracing import inject

logger = logging.getLogger(__name__)

TRACE_HEADER = "traceparent"
_ONCE_MORE = RetryPolicy(max_retries=1, delay_s=0.1)
_INLINE_THREADS = {Queue.AGENTS: 256}
"""Agents think as long as they like: in threads of their own they hold up no session's start or end."""
_FEW_THREADS = 8
_END_S = 2.0
PUBLISH_S = 1.0
"""Seconds within which a task is queued, or is said not to be."""


class Publisher(Protocol):
    """Hands tasks on."""

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Hand a task on; raises ConnectionFailed if it could not be queued."""
        ...

    async def aclose(self) -> None:
        """Release threads and connections."""
        ...


class CeleryPublisher:
    """Writes tasks into Celery's queues, past Celery's own publishing, which blocks and takes milliseconds."""

    def __init__(self, deployment: Deployment) -> None:
        from celery import Celery

        self._app = Celery("voicebackend-publisher", set_as_current=False)
        self._prefix = f"{deployment.prefix}:"
        self._app.conf.update(celery_settings(deployment.broker_url, key_prefix=self._prefix))
        self._redis = connect(deployment.broker_url, timeout_s=HOT_TIMEOUT_S)
        self._wire = Wire(self._redis)

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Queue the task, with the trace it belongs to and its deadline, within a second.

        A try whose answer was lost may have queued it all the same: tasks can be run twice.

        Raises:
            ConnectionFailed: it could not be queued.

        """
        message = encode(self._app, task, arguments, {TRACE_HEADER: inject()})

        async def push() -> None:
            try:
                await self._wire.execute(("LPUSH", self._prefix + task.queue.value, message))
            except (RedisError, OSError) as error:
                raise ConnectionFailed("publish", f"task {task.name} could not be queued") from error

        try:
            async with asyncio.timeout(PUBLISH_S):
                await retrying(_ONCE_MORE, push)
        except TimeoutError as error:
            raise ConnectionFailed("publish", f"task {task.name} could not be queued in time") from error

    async def aclose(self) -> None:
        """Release the connection."""
        await self._redis.aclose()
        self._app.close()


class InlinePublisher:
    """Runs the function behind a task in a thread of this process: for the embedded library.

    Failures that may pass are tried again as often as a Celery worker would; any other is logged.
    """

    def __init__(self) -> None:
        self._threads = {
            queue: ThreadPoolExecutor(_INLINE_THREADS.get(queue, _FEW_THREADS), thread_name_prefix=f"task {queue}")
            for queue in Queue
        }
        self._running: set[asyncio.Task[None]] = set()

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Start the task's function, and return before it is done."""
        function: Callable[..., None] = load(task.function, field=task.name)
        work = partial(copy_context().run, partial(_run_inline, task, function, arguments))
        running = asyncio.create_task(self._run(task, work), name=f"task {task.name}")
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Give running functions a moment, then let go of them."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_END_S)
            for running in late:
                running.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, task: Task, work: Callable[[], None]) -> None:
        """Run the task until it is done or given up; between tries no thread is held."""
        loop, threads = asyncio.get_running_loop(), self._threads[task.queue]
        try:
            await retrying(RetryPolicy(max_retries=task.max_retries), lambda: loop.run_in_executor(threads, work))
        except Exception as error:  # noqa: BLE001 - nobody waits for it: the log is where it is told
            logger.error("task given up", extra={"task": task.name, **described(error)})  # noqa: TRY400 - without words


def _run_inline(task: Task, function: Callable[..., None], arguments: Mapping[str, Any]) -> None:
    try:
        function(**arguments)
    except (RedisError, OSError) as error:
        raise ConnectionFailed(task.name, type(error).__name__) from error


def publisher_for(deployment: Deployment) -> Publisher:
    """Return the publisher that this deployment wants."""
    return InlinePublisher() if deployment.inline_tasks else CeleryPublisher(deployment)

"""How any process hands a task on: to Celery by name, or to the function itself where there is no Celery."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from voicebackend._importer import load
from voicebackend.errors import ConnectionFailed
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue, Task, celery_settings
from voicebackend.telemetry import inject

logger = logging.getLogger(__name__)

TRACE_HEADER = "traceparent"
_PUBLISH_THREADS = 4
_INLINE_THREADS = 64


class Publisher(Protocol):
    """Hands tasks on."""

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Hand a task on; raises ConnectionFailed if it could not be queued."""
        ...

    async def aclose(self) -> None:
        """Release threads and connections."""
        ...


class CeleryPublisher:
    """Publishes by name, in threads, because Celery's publishing blocks for about a millisecond."""

    def __init__(self, deployment: Deployment) -> None:
        from celery import Celery
        from kombu.entity import Queue as KombuQueue

        self._app = Celery("voicebackend-publisher", set_as_current=False)
        self._app.conf.update(celery_settings(deployment.broker_url, key_prefix=f"{deployment.prefix}:"))
        self._app.conf.task_queues = [KombuQueue(queue.value) for queue in Queue]  # type: ignore[no-untyped-call]
        self._threads = ThreadPoolExecutor(_PUBLISH_THREADS, thread_name_prefix="publish")

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Queue the task, with the trace it belongs to and its deadline."""
        headers = {TRACE_HEADER: inject()}
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, task, arguments, headers)

    def _send(self, task: Task, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        from kombu.exceptions import OperationalError

        try:
            self._app.send_task(
                task.name,
                kwargs=dict(arguments),
                queue=task.queue.value,
                headers=dict(headers),
                expires=task.deadline_s,
                ignore_result=True,
            )
        except (OperationalError, OSError) as error:
            raise ConnectionFailed("publish", f"task {task.name} could not be queued") from error

    async def aclose(self) -> None:
        """Wait for what is being published, then release threads and connections."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._app.close)


class InlinePublisher:
    """Runs the function behind a task in a thread of this process: for the embedded library."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_INLINE_THREADS, thread_name_prefix="task")
        self._running: set[asyncio.Future[None]] = set()

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Start the task's function; its failure is logged, as a Celery worker would."""
        function: Callable[..., None] = load(task.function, field=task.name)
        run = partial(_run_inline, task, function, arguments)
        running = asyncio.get_running_loop().run_in_executor(self._threads, partial(copy_context().run, run))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def aclose(self) -> None:
        """Give running functions a moment, then let go of them."""
        if self._running:
            await asyncio.wait(self._running, timeout=2)
        self._threads.shutdown(wait=False, cancel_futures=True)


def _run_inline(task: Task, function: Callable[..., None], arguments: Mapping[str, Any]) -> None:
    try:
        function(**arguments)
    except Exception:
        logger.exception("task failed", extra={"task": task.name})


def publisher_for(deployment: Deployment) -> Publisher:
    """Return the publisher that this deployment wants."""
    return InlinePublisher() if deployment.inline_tasks else CeleryPublisher(deployment)

"""The schedule where there is no Celery beat: a service of ``voicebackend.host`` in the embedded library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from voicebackend._background import Background
from voicebackend.config import BackendConfig
from voicebackend.publisher import Publisher, publisher_for
from voicebackend.settings import Deployment
from voicebackend.tasks import SCHEDULED, Task


@asynccontextmanager
async def serve(_config: BackendConfig, deployment: Deployment, *, remote: Any = None) -> AsyncIterator[None]:
    """Publish what is scheduled while the context is open; ``remote`` is not needed."""
    async with AsyncExitStack() as stack:
        publisher, background = publisher_for(deployment), Background()
        stack.push_async_callback(publisher.aclose)
        stack.push_async_callback(background.aclose)
        for task in SCHEDULED:
            background.start(_repeat(publisher, task), name=f"schedule of {task.name}")
        yield


async def _repeat(publisher: Publisher, task: Task) -> None:
    while True:
        await publisher.publish(task)
        await asyncio.sleep(task.every_s)

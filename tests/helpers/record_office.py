"""A control process in the test's own loop that keeps records, and what a finished session would have left there."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from redis.asyncio import Redis

from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.policy import Rule
from control.service import serve
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport
from voicebackend.settings import Deployment
from voicebackend.tasks import Task

KEY, OTHER = "test-key-0123456789", "other-key-0123456789"
USER = "canary-7@example.com"
CONTENT = b'{"said": "the canary sings at noon"}'


@dataclass
class Tasks:
    """Stands in for the broker: remembers what was published."""

    published: list[str] = field(default_factory=list)

    async def publish(self, task: Task, **_: Any) -> None:
        self.published.append(task.name)

    async def aclose(self) -> None:
        """Nothing to release."""


@dataclass
class Office:
    """A control process, its records, and a client without a key of its own."""

    url: str
    deployment: Deployment
    cabinet: Cabinet
    http: aiohttp.ClientSession
    tasks: Tasks

    def finished(self, *, user: str = USER, **changes: Any) -> SessionRecord:
        """Return the record of a session that is over."""
        now = time.time()
        common: dict[str, Any] = {"transport": Transport.WEBSOCKET, "pipeline_type": PipelineType.STT_TTS}
        record = SessionRecord(
            id=secrets.token_hex(16),
            tenant="default",
            user_id=user,
            provider="mock",
            state=SessionState.ENDED,
            created_at=now - 60,
            ended_at=now,
            **common,
        )
        return replace(record, **changes)

    async def keep(self, record: SessionRecord | None = None, *, data: bytes = CONTENT, name: str = "") -> Entry:
        """Write an object of a session, a transcript by default; return its entry as the index has it."""
        rule, record = Rule("transcripts", 86_400.0), record or self.finished()
        entry = self.cabinet.entry(record, DataClass.TRANSCRIPT, name or "transcript.json", rule)
        assert await self.cabinet.write(entry, data)
        return (await self.cabinet.index.many([entry.id]))[0]

    async def ask(self, method: str, path: str, *, key: str = KEY, **options: Any) -> Any:
        """Send a request with a key; return the JSON it is answered with, which has to be a success."""
        async with self.http.request(method, self.url + path, headers=_bearer(key), **options) as answer:
            assert answer.ok, await answer.text()
            return await answer.json() if answer.content_type == "application/json" else await answer.read()

    async def status(self, method: str, path: str, *, key: str = KEY, **options: Any) -> tuple[int, str]:
        """Send a request that fails; return the status and the problem's code."""
        headers = {**_bearer(key), **options.pop("headers", {})}
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            return answer.status, (await answer.json(content_type="application/problem+json"))["code"]


async def snapshot_written(redis: Redis) -> None:
    """Wait until Redis writes no snapshot: an erasure is not done before it has had one begun.

    A server that ever had a replica to feed has one.
    """
    async with asyncio.timeout(10.0):
        while (await redis.info("persistence"))["rdb_bgsave_in_progress"]:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


@asynccontextmanager
async def office(
    redis: Redis, deployment: Deployment, folder: Path, *, auth_hook: Any = None, **changes: Any
) -> AsyncIterator[Office]:
    """Run it, with its store in a folder; ``changes`` are of the retention file."""
    settings = {
        "store": f"file://{folder}/records",
        "spool": f"{folder}/spool",
        "subject_key": "k" * 40,
        "policies": [{"id": "transcripts", "class": "transcript", "ttl": "P1D"}],
        **changes,
    }
    path = folder / "retention.yaml"
    path.write_text(yaml.safe_dump(settings))
    deployment = replace(deployment, retention=path)
    config = BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock", auth_hook=auth_hook)
    tasks = Tasks()
    async with serve(config, deployment, publisher=tasks) as serving, aiohttp.ClientSession() as http:
        cabinet = Cabinet.open(path, redis, deployment.keys, deployment.records_key)
        yield Office(serving.url, deployment, cabinet, http, tasks)

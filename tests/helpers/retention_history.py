"""A deployment that keeps records, put through one history: real code on a real Redis, by the clock of a model."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis as sync_redis
import yaml
from retention_draws import Call, Hook
from retention_model import Model, ModelSession, ttl_s
from stepped_work import SteppedObjects, Work, load_scripts, stepped

from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.documents import NAMES
from control.records.erasure import Erasures
from control.records.keep import allowed, keep
from control.records.policy import restored
from control.records.reconcile import reconcile
from control.records.seal import first_broken, receipts
from control.records.sweep import sweep
from control.records.writer import write
from control.sessions import store as session_store
from control.sessions.store import SessionStore
from voicebackend._redis import connect
from voicebackend.config import PipelineType
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport

KEYS, NOON = Keys(), 1_790_000_000.0
KINDS = [*(kind.value for kind in NAMES), "audio"]
WAITING = 3
"""Pieces of work that have stopped, at most; the eldest dies."""


class History:
    """What a history is made of; what happens in it is the test's affair."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self.socket, self.folder = socket, folder
        self.model = Model(NOON)
        self.work: list[Work] = []
        self.hooks: dict[str, Hook] = {}
        """By session."""
        self.runner = asyncio.Runner()
        with sync_redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()

    def run(self, what: Awaitable[Any]) -> Any:
        """Run something to its end."""

        async def awaited() -> Any:
            return await what

        return self.runner.run(awaited())

    def close(self) -> None:
        """Let go of everything."""
        for work in self.work:
            self.run(work.kill())
        self.run(self.redis.aclose())
        self.runner.close()

    async def open(self, policies: list[dict[str, Any]]) -> None:
        """Open an empty deployment."""
        self.redis = stepped(connect(f"unix://{self.socket}"))
        path = self.folder / "retention.yaml"
        path.write_text(yaml.safe_dump(self.file(policies)))
        cabinet = Cabinet.open(path, self.redis, KEYS)
        self.cabinet = replace(cabinet, objects=SteppedObjects.open("memory:///"))
        self.store = SessionStore(self.redis, KEYS)
        await load_scripts(self.redis)
        self.erasures = Erasures(self.redis, KEYS, self.store, self.cabinet, lease_s=0.001)

    def file(self, policies: list[dict[str, Any]]) -> dict[str, Any]:
        """Return what a file of policies says; it holds from now on."""
        self.policies = policies
        named = [{"id": f"p{number}", **policy} for number, policy in enumerate(policies)]
        return {"store": "memory:///", "subject_key": "k" * 40, "policies": named}

    def call(self, drawn: Call, pace: int | None) -> None:
        """Hold a call; it runs on, or ends a little later and leaves something."""
        hook = Hook(drawn.mood)
        session = ModelSession(
            id=f"{len(self.model.sessions) + 1:032x}",
            tenant=drawn.tenant,
            names=frozenset(filter(None, (drawn.user, drawn.number))),
            began=self.model.now,
            kept={kind: hook.narrowed(ttl_s(self.policies, kind, drawn.asked)) for kind in KINDS},
        )
        self.model.sessions[session.id], self.hooks[session.id] = session, hook
        self.run(self._create(session, drawn))
        if drawn.after_s is not None:
            self.model.pass_time(drawn.after_s)
            self.end(session)
            self.keep(session, pace, recording=False)

    async def _create(self, session: ModelSession, drawn: Call) -> None:
        record = SessionRecord(
            id=session.id,
            tenant=session.tenant,
            user_id=drawn.user,
            provider="mock",
            transport=Transport.WEBSOCKET,
            pipeline_type=PipelineType.STT_TTS,
            state=SessionState.ACTIVE,
            agent=drawn.agent,
            created_at=session.began,
            metadata={"retention": drawn.retention, "said": {"caller": drawn.number}},
        )
        await self.store.create(replace(record, retention=self.cabinet.rules_for(record)))

    def end(self, session: ModelSession) -> None:
        """End a session."""
        with clock(self.model):
            self.run(self.store.move(session.id, SessionState.ENDED))
        session.ended = session.latest = self.model.now

    def keep(self, session: ModelSession, pace: int | None, *, recording: bool) -> None:
        """Write a session's documents, or its recording, if Redis has its record still."""
        record, hook = self.run(self.store.many([session.id])).get(session.id), self.hooks[session.id]
        if record is not None:
            keeping = self._record(record, hook) if recording else keep(self.cabinet, self.redis, KEYS, record, hook)
            self.do(keeping, pace)

    async def _record(self, record: SessionRecord, hook: Hook) -> None:
        rule = await allowed(restored(record.retention, DataClass.AUDIO), DataClass.AUDIO, record, hook)
        if rule.ttl_s:
            entry = self.cabinet.entry(record, DataClass.AUDIO, "recording-000000000.flac", rule)
            await write(self.cabinet.index, self.cabinet.objects, entry, b"audio")

    def do(self, what: Coroutine[Any, Any, Any], pace: int | None) -> None:
        """Begin work, and let it come as far as that; at most ``WAITING`` wait."""
        self.run(self._begin(what, pace))

    async def _begin(self, what: Coroutine[Any, Any, Any], pace: int | None) -> None:
        with clock(self.model):
            work = Work(what, self.model.now)
            if pace is None:
                await work.finish()
            elif not await work.go_on(pace):
                self.work.append(work)
            else:
                await work.task
            if len(self.work) > WAITING:
                await self.work.pop(0).kill()

    async def resume(self, work: Work, pace: int | None, *, dies: bool) -> None:
        """Let work that stopped go on, or die."""
        with clock(self.model):
            if dies:
                await work.kill()
            elif pace is None:
                await work.finish()
            elif not await work.go_on(pace):
                return
            else:
                await work.task
        self.work.remove(work)

    async def seen(self) -> tuple[set[str], Counter[str], Counter[str]]:
        """Return what is in the store, how many receipts each id has, and how many of them of something written.

        What was noted and never written has a receipt of 0 bytes. The chain must be whole.
        """
        head = await self.cabinet.index.head()
        assert await first_broken(self.redis, KEYS, self.cabinet.objects, head) is None
        chain = await receipts(self.redis, KEYS, self.cabinet.objects)
        there = {path async for path, _ in self.cabinet.objects.list() if not path.startswith("_")}
        return there, Counter(one.id for one in chain), Counter(one.id for one in chain if one.size)

    async def rest(self) -> None:
        """Do everything that is scheduled."""
        with clock(self.model):
            await self.cabinet.holds.release()
            await self.erasures.go_on()
            await reconcile(self.cabinet.index, self.cabinet.objects, self.cabinet.settings)
            await sweep(self.cabinet.index, self.cabinet.objects, rate=1e9, now=self.model.now)
            await self.erasures.go_on()


@contextmanager
def clock(model: Model) -> Iterator[None]:
    """Have everything about records and sessions see the model's clock; and ids that are the same each time."""
    modules = [module for name, module in sys.modules.items() if name.startswith("control.records")]
    seen = SimpleNamespace(time=lambda: model.now)
    ids = SimpleNamespace(token_hex=lambda size: f"{next(model.ids):0{2 * size}x}")
    with pytest.MonkeyPatch.context() as patch:
        for module in [*modules, session_store]:
            for name, real, fake in (("time", time, seen), ("secrets", secrets, ids)):
                if getattr(module, name, None) is real:
                    patch.setattr(module, name, fake)
        yield

"""Recordings whose callers agree, and do not any more: on a real Redis, a real disk and a real store."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
import yaml
from recorded_calls import RATE, WAIT_S, files
from redis.asyncio import Redis
from task_harness import RecordingPublisher, a_record

from control.gateway.recorder import Recorder
from control.gateway.recording import Recordings
from control.records.cabinet import Cabinet
from control.records.consents import erase_withdrawn
from control.records.erasure import Erasures
from control.records.keep import keep
from control.records.sweep import sweep
from control.sessions.consents import Consents
from control.sessions.store import SessionStore
from voicebackend.consent import ConsentWord
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
KEYS = Keys()
FRAME_S = 0.02
LOUD = b"\x10\x27" * round(RATE * FRAME_S)


@dataclass
class Studio:
    """What records, and what is said to it."""

    cabinet: Cabinet
    store: SessionStore
    consents: Consents
    redis: Redis
    folder: Path

    @asynccontextmanager
    async def recordings(self, *, dies: bool = False) -> AsyncIterator[Recordings]:
        """Give what one process records with; one that dies leaves everything as it is."""
        recordings = Recordings(self.cabinet, self.folder / "spool", lambda: None, self.redis, KEYS)
        recordings.start()
        yield recordings
        if dies:
            recordings._open.clear()
        await recordings.aclose()

    async def session(self) -> SessionRecord:
        """Return a session that runs."""
        record = replace(a_record(state=SessionState.ACTIVE), created_at=time.time())
        record = replace(record, retention=self.cabinet.rules_for(record))
        return await self.store.create(record)

    async def say(self, session: str, *, given: bool) -> None:
        """Take a consent, or a withdrawal."""
        await self.consents.say(session, ConsentWord(classes=("audio",), given=given, text_version="1"), by="test")

    def spools(self) -> list[Path]:
        """Return what lies on this machine's disk."""
        return list((self.folder / "spool").rglob("*.pcm"))

    def kept(self) -> list[Path]:
        """Return the recordings in the store."""
        return files(self.folder / "records", "*.flac")


@pytest.fixture
async def studio(redis: Redis, tmp_path: Path) -> Studio:
    """Give a deployment that records who consents."""
    policies = [{"id": "audio", "class": "audio", "ttl": "P1D", "consent": "required"}]
    settings = {"store": f"file://{tmp_path / 'records'}", "subject_key": "k" * 40, "policies": policies}
    (tmp_path / "retention.yaml").write_text(yaml.safe_dump(settings))
    cabinet = await asyncio.to_thread(Cabinet.open, tmp_path / "retention.yaml", redis, KEYS)
    publisher: Any = RecordingPublisher()
    consents = Consents(redis, KEYS, publisher, keeps=True)
    return Studio(cabinet, SessionStore(redis, KEYS), consents, redis, tmp_path)


@asynccontextmanager
async def speaking(recorder: Recorder | None) -> AsyncIterator[Recorder]:
    """Have the caller speak all the time."""
    assert recorder is not None

    async def speak() -> None:
        loop = asyncio.get_running_loop()
        while True:
            recorder.tape.caller(LOUD, loop.time())
            await asyncio.sleep(FRAME_S)

    task = asyncio.create_task(speak(), name="caller speaks")
    try:
        yield recorder
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(found: Callable[[], Any]) -> Any:
    """Return what is found, once it is."""
    async with asyncio.timeout(WAIT_S):
        while not (value := found()):  # noqa: ASYNC110 - files tell nobody of themselves
            await asyncio.sleep(0.05)
    return value


def began_ms(recording: Path) -> int:
    """Return when a part begins, by its name."""
    return int(recording.stem.split("-")[1])


async def test_each_consent_begins_a_part_of_its_own(studio: Studio) -> None:
    """What was recorded before the withdrawal is not kept."""
    record = await studio.session()
    async with studio.recordings() as recordings, speaking(await recordings.open(record, RATE)) as recorder:
        await studio.say(record.id, given=True)
        await until(lambda: recorder.written > RATE)
        await studio.say(record.id, given=False)
        await until(lambda: not studio.spools())
        assert studio.kept() == []
        again_ms = (time.time() - record.created_at) * 1000
        await studio.say(record.id, given=True)
        await until(lambda: recorder.written > RATE)
        recordings.end(recorder)
    (part,) = studio.kept()
    assert began_ms(part) >= again_ms
    assert soundfile.info(part).duration > 0.25


async def test_a_late_clock_does_not_make_consent_older(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be older than when it was last seen that there was none."""
    record = await studio.session()
    async with studio.recordings() as recordings, speaking(await recordings.open(record, RATE)) as recorder:
        await until(lambda: recorder.unsure > record.created_at + 1.0)
        seen_ms = (recorder.unsure - record.created_at) * 1000
        clock = SimpleNamespace(time=lambda: record.created_at + 0.1)
        monkeypatch.setattr("control.sessions.consents.time", clock)
        await studio.say(record.id, given=True)
        monkeypatch.undo()
        await until(lambda: recorder.written > RATE)
        recordings.end(recorder)
    (part,) = studio.kept()
    assert began_ms(part) >= seen_ms


async def test_what_lies_on_the_disk_of_a_process_that_died_is_not_stored_after_a_withdrawal(studio: Studio) -> None:
    """The next process takes it away."""
    record = await studio.session()
    async with studio.recordings(dies=True) as recordings, speaking(await recordings.open(record, RATE)) as recorder:
        await studio.say(record.id, given=True)
        await until(lambda: recorder.written > RATE)
        recordings._open.clear()
    assert len(studio.spools()) == 1
    await studio.say(record.id, given=False)
    async with studio.recordings():
        await until(lambda: not studio.spools())
    assert studio.kept() == []


async def test_a_hold_keeps_what_was_recorded_until_it_is_lifted(studio: Studio) -> None:
    """Then it goes with a receipt that says why; what is said after the withdrawal is recorded by nobody."""
    record = await studio.session()
    hold, _ = await studio.cabinet.holds.place(record.tenant, f"session:{record.id}", reason="case", by="test")
    async with studio.recordings() as recordings, speaking(await recordings.open(record, RATE)) as recorder:
        await studio.say(record.id, given=True)
        await until(lambda: recorder.written > RATE)
        await studio.say(record.id, given=False)
        withdrawn_ms = (time.time() - record.created_at) * 1000
        (part,) = await until(studio.kept)
        await until(lambda: recorder.unsure > record.created_at + withdrawn_ms / 1000 + 0.5)
        recordings.end(recorder)
    assert studio.kept() == [part]
    assert began_ms(part) + soundfile.info(part).duration * 1000 <= withdrawn_ms
    assert await sweep(studio.cabinet.index, studio.cabinet.objects) == 0
    assert await studio.cabinet.holds.lift(record.tenant, hold.id)
    assert await sweep(studio.cabinet.index, studio.cabinet.objects) == 1
    rows: Any = await studio.redis.xrange(KEYS.receipts())
    assert [json.loads(fields[b"r"])["reason"] for _, fields in rows] == ["withdrawn"]


async def test_an_erasure_leaves_the_proofs_of_consents(studio: Studio) -> None:
    """Of sessions whose records were not written yet, too; all else goes."""
    live = await studio.session()
    over = await studio.store.create(replace(live, id="f" * 32))
    for record in (live, over):
        await studio.say(record.id, given=True)
    await studio.store.move(over.id, SessionState.ENDED, reason="closed")
    erasures = Erasures(studio.redis, KEYS, studio.store, studio.cabinet)
    await erasures.ask(live.tenant, live.user_id, by="test")
    await erasures.go_on()
    assert [path.parent.name for path in files(studio.folder / "records", "consent-*.json")] == [over.id]
    assert list((await studio.store.get(live.id)).retention) == ["consent"]
    await studio.store.move(live.id, SessionState.ENDED, reason="closed")
    await keep(studio.cabinet, studio.redis, KEYS, await studio.store.get(live.id), None)
    await erasures.go_on()
    proofs = files(studio.folder / "records", "consent-*.json")
    assert {path.parent.name for path in proofs} == {live.id, over.id}
    assert not [path for path in proofs if f'"{live.user_id}"' in path.read_text()]


async def test_parts_that_are_stored_already_go_with_the_consent(studio: Studio) -> None:
    """Those that were made before it was withdrawn."""
    record = await studio.session()
    await studio.say(record.id, given=True)
    for _ in range(2):
        now = await studio.store.get(record.id)
        async with studio.recordings() as recordings, speaking(await recordings.open(now, RATE)) as recorder:
            await until(lambda: recorder.written > 0)
            recordings.end(recorder)
        await studio.say(record.id, given=False)
        await studio.say(record.id, given=True)
    before, after = studio.kept()
    assert await erase_withdrawn(studio.cabinet, await studio.store.get(record.id)) == 2
    assert await sweep(studio.cabinet.index, studio.cabinet.objects) == 2
    assert (before.exists(), after.exists()) == (False, False)

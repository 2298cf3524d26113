"""What clocks that differ, erasures that stay open and holds that come late may not do: found by the model's test."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from record_office import snapshot_written
from task_harness import a_record, task_context

from control.context import TaskContext
from control.records import erasure as erasing
from control.records.cabinet import Cabinet
from control.records.data_class import DataClass
from control.records.erasure import Erasures
from control.records.erasure_requests import REST_S, Erasure, ErasureState
from control.records.keep import keep
from control.records.policy import Rule
from control.records.sweep import sweep
from control.records.writer import write
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
POLICIES = [
    {"id": "words", "class": "transcript", "ttl": "PT1H"},
    {"id": "none", "class": "metadata", "ttl": 0},
    {"id": "no-trace", "class": "trace", "ttl": 0},
]


class Office:
    """A deployment, and sessions that are over."""

    def __init__(self, shared: TaskContext, cabinet: Cabinet, folder: Path) -> None:
        self.shared, self.cabinet, self.folder = shared, cabinet, folder
        self.erasures = Erasures(shared.state, shared.keys, shared.store, cabinet)

    async def session(self, number: int, *, ended_s_ago: float = 1.0) -> SessionRecord:
        """Have a session of Ann's that ended so long ago."""
        ended = time.time() - ended_s_ago
        record = a_record(number, user_id="ann", state=SessionState.ENDED, created_at=ended - 1, ended_at=ended)
        return await self.shared.store.create(replace(record, retention=self.cabinet.rules_for(record)))

    async def keep(self, record: SessionRecord) -> int:
        """Write its documents."""
        return await keep(self.cabinet, self.shared.state, self.shared.keys, record, None)

    async def sweep(self) -> int:
        """Delete what is due."""
        return await sweep(self.cabinet.index, self.cabinet.objects)

    async def go_on(self) -> None:
        """Take a step of all erasures."""
        await snapshot_written(self.shared.state)
        await self.erasures.go_on()

    def files(self) -> set[str]:
        """Return the names of all documents, with their sessions."""
        return {"/".join(path.parts[-2:]) for path in self.folder.rglob("*.json")}


@pytest.fixture
async def office(deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a deployment that keeps transcripts for an hour, and nothing else."""
    folder, path = tmp_path / "records", tmp_path / "retention.yaml"
    settings: dict[str, Any] = {"store": f"file://{folder}", "subject_key": "k" * 40, "policies": POLICIES}
    path.write_text(yaml.safe_dump(settings))
    async with task_context(replace(deployment, retention=path)) as shared:
        cabinet = await shared.cabinet()
        assert cabinet is not None
        yield Office(shared, cabinet, folder)


async def test_what_is_never_to_be_written_is_not_though_the_session_ends_in_the_future(office: Office) -> None:
    """Another machine's clock is ahead of ours: time to live 0 is no time at all, whatever the time is."""
    record = await office.session(1, ended_s_ago=-60)
    assert await office.keep(record) == 1
    assert office.files() == {f"{record.id}/transcript.json"}


async def test_an_erasure_that_stays_open_does_not_reach_what_came_after_it(office: Office) -> None:
    """A hold keeps something of an old session; the person calls again, and that is kept as the policies say."""
    old = await office.session(1, ended_s_ago=10)
    assert await office.keep(old) == 1
    hold, _ = await office.cabinet.holds.place("default", f"session:{old.id}", reason="case", by="ops")
    asked = await office.erasures.ask("default", "ann", by="ops")
    new = await office.session(2, ended_s_ago=-10)
    assert await office.keep(new) == 1
    await office.go_on()
    assert (await office.erasures.get("default", asked.id)).state is ErasureState.PARTIAL
    assert await office.sweep() == 0
    await office.shared.store.get(new.id)
    assert await office.cabinet.holds.lift("default", hold.id)
    await office.go_on()
    assert await office.sweep() == 1
    assert office.files() == {f"{new.id}/transcript.json"}


async def test_what_a_hold_covers_is_written_though_its_time_is_over(office: Office) -> None:
    """Nobody served the queue for longer than it was to live; lifted, it goes."""
    held, other = await office.session(1, ended_s_ago=7_200), await office.session(2, ended_s_ago=7_200)
    hold, _ = await office.cabinet.holds.place("default", f"session:{held.id}", reason="case", by="ops")
    assert (await office.keep(held), await office.keep(other)) == (1, 0)
    assert await office.sweep() == 0
    assert office.files() == {f"{held.id}/transcript.json"}
    assert await office.cabinet.holds.lift("default", hold.id)
    assert await office.sweep() == 1
    assert office.files() == set()


async def test_what_a_hold_lets_be_written_of_somebody_erased_goes_when_it_is_lifted(office: Office) -> None:
    """The erasure was done by then: nobody would come back for it."""
    record = await office.session(1)
    asked = await office.erasures.ask("default", "ann", by="ops")
    await office.go_on()
    assert (await office.erasures.get("default", asked.id)).state is ErasureState.DONE
    entry = office.cabinet.entry(record, DataClass.AUDIO, "recording-000000000.flac", Rule("recordings", 3_600))
    assert not await write(office.cabinet.index, office.cabinet.objects, entry, b"voice")
    hold, _ = await office.cabinet.holds.place("default", "*", reason="case", by="ops")
    assert await write(office.cabinet.index, office.cabinet.objects, entry, b"voice")
    assert await office.sweep() == 0
    assert await office.cabinet.holds.lift("default", hold.id)
    assert await office.sweep() == 1


async def test_a_clock_that_is_put_back_does_not_bring_an_erased_session_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is erased a second time, earlier by the clock, stays erased until the later time."""
    record = await office.session(1)
    await office.erasures.ask("default", "ann", by="ops")
    monkeypatch.setattr(erasing, "time", SimpleNamespace(time=lambda: time.time() - 3_600))
    await office.erasures.ask("default", "ann", by="ops")
    assert await office.keep(record) == 0
    assert office.files() == set()


async def test_an_erasure_tells_when_it_was_done_and_not_when_a_hold_stopped_it(office: Office) -> None:
    """Until then it tells no time: whoever reads one takes the person for erased."""
    record = await office.session(1)
    assert await office.keep(record)
    hold, _ = await office.cabinet.holds.place("default", f"session:{record.id}", reason="case", by="ops")
    asked = await office.erasures.ask("default", "ann", by="ops")
    await office.go_on()
    partial = await office.erasures.get("default", asked.id)
    assert (partial.state, partial.done_at) == (ErasureState.PARTIAL, 0.0)
    assert await office.cabinet.holds.lift("default", hold.id)
    lifted = time.time()
    await office.go_on()
    assert await office.sweep()
    await office.go_on()
    done = await office.erasures.get("default", asked.id)
    assert (done.state, done.done_at >= lifted) == (ErasureState.DONE, True)


async def test_an_erasure_that_a_hold_keeps_from_its_end_is_left_alone_until_one_is_lifted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are and however often it is asked: sweeps have their turn. Then it is looked at at once."""
    record = await office.session(1)
    assert await office.keep(record)
    hold, _ = await office.cabinet.holds.place("default", f"session:{record.id}", reason="case", by="ops")
    asked = await office.erasures.ask("default", "ann", by="ops")
    steps: list[str] = []
    step = office.erasures._step

    async def noted(erasure: Erasure, *args: Any) -> Erasure:
        steps.append(erasure.id)
        return await step(erasure, *args)

    monkeypatch.setattr(office.erasures, "_step", noted)
    for _ in range(3):
        await office.go_on()
    assert steps == [asked.id]
    rest = office.shared.keys.erasure_rest(asked.id)
    assert REST_S - 60 < await office.shared.state.ttl(rest) <= REST_S
    assert await office.cabinet.holds.lift("default", hold.id)
    await office.go_on()
    assert steps == [asked.id] * 2
    assert not await office.shared.state.exists(rest)

"""A store that is away, or another one in its place; stores that are compared piece by piece; who is told."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from task_harness import task_context

from control.context import TaskContext
from control.records import reconcile as reconciling
from control.records.cabinet import Cabinet
from control.records.comparison import Comparison, Phase
from control.records.entry import Entry, Reason
from control.records.marker import WrongStore
from control.records.objects import Objects
from control.records.paths import id_of
from control.records.reconcile import reconcile
from control.records.sweep import sweep
from control.records.writer import write
from control.tasks import sweeping
from voicebackend import telemetry
from voicebackend.errors import ConnectionFailed
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
DAY = 86_400.0


class Volume:
    """A deployment whose store is a folder that can be taken away."""

    def __init__(self, shared: TaskContext, cabinet: Cabinet, folder: Path) -> None:
        self.shared, self.cabinet, self.folder = shared, cabinet, folder

    async def write(self, *, due: float, tenant: str = "t") -> Entry:
        """Write one object that is due then."""
        session = secrets.token_hex(16)
        path = f"{tenant}/transcript/2026/11/{secrets.randbelow(28) + 1:02}/{session}/transcript.json"
        entry = Entry(
            id=id_of(path), path=path, tenant=tenant, data_class="transcript", session=session, policy="all", due=due
        )
        assert await write(self.cabinet.index, self.cabinet.objects, entry, b"{}")
        return entry

    def unmount(self) -> None:
        """Leave an empty folder where the store was."""
        self.folder.rename(self.folder.with_name("elsewhere"))
        self.folder.mkdir()

    def mount(self) -> None:
        """Bring the store back; what was written into the bare folder lies under it."""
        self.folder.rename(self.folder.with_name(f"under-{secrets.token_hex(4)}"))
        self.folder.with_name("elsewhere").rename(self.folder)

    def objects(self) -> set[str]:
        """Return the paths of all objects."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*.json"))
        return {path for path in found if not path.startswith("_")}


@pytest.fixture
async def volume(deployment: Deployment, tmp_path: Path) -> AsyncIterator[Volume]:
    """Give an empty store."""
    folder = tmp_path / "records"
    settings = {"store": f"file://{folder}", "subject_key": "k" * 40}
    settings["policies"] = [{"id": "all", "class": "transcript", "ttl": "P365D"}]  # type: ignore[assignment]
    path = tmp_path / "retention.yaml"
    path.write_text(yaml.safe_dump(settings))
    async with task_context(replace(deployment, retention=path)) as shared:
        cabinet = await shared.cabinet()
        assert cabinet is not None
        yield Volume(shared, cabinet, folder)


class Gauge:
    """Remembers what it was set to."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def set(self, value: float) -> None:
        """Take a value."""
        self.values.append(value)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Gauge:
    """Give the gauge of what is late."""
    gauge = Gauge()
    monkeypatch.setattr(telemetry, "records_late_seconds", gauge)
    return gauge


async def test_an_empty_folder_in_the_stores_place_is_not_taken_for_it(volume: Volume) -> None:
    """Nothing is claimed, receipted, closed or written there; when the volume is back, all is as it was."""
    due, later = await volume.write(due=time.time() - 1), await volume.write(due=time.time() + DAY)
    cabinet = volume.cabinet
    volume.unmount()
    with pytest.raises(WrongStore, match="mounted"):
        await sweep(cabinet.index, cabinet.objects)
    with pytest.raises(WrongStore):
        await reconcile(cabinet.index, cabinet.objects, cabinet.settings)
    with pytest.raises(WrongStore):
        await volume.write(due=time.time() + DAY)
    assert list(volume.folder.iterdir()) == []
    assert (await cabinet.index.head()).count == 0
    volume.mount()
    assert not any((await reconcile(cabinet.index, cabinet.objects, cabinet.settings)).counts().values())
    assert await sweep(cabinet.index, cabinet.objects) == 1
    assert volume.objects() == {later.path}
    assert await cabinet.index.many([due.id]) == []


async def test_a_volume_that_goes_in_the_midst_of_it_takes_nothing_along(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of a sweep, which finds its objects gone, nor of a comparison."""
    cabinet = volume.cabinet
    entry = await volume.write(due=time.time() + DAY)
    gone_at: dict[str, int] = {"looks": 0}
    has, delete = Objects.has, Objects.delete

    async def vanish_and_look(objects: Objects, path: str) -> bool:
        volume.unmount()
        gone_at["looks"] += 1
        return await has(objects, path)

    async def vanish_and_delete(objects: Objects, path: str) -> None:
        volume.unmount()
        await delete(objects, path)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "has", vanish_and_look)
        with pytest.raises(WrongStore):
            await reconcile(cabinet.index, cabinet.objects, cabinet.settings)
    assert gone_at["looks"] == 1
    volume.mount()
    assert await cabinet.index.sooner([entry.id], Reason.ERASURE)
    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete", vanish_and_delete)
        with pytest.raises(WrongStore):
            await sweep(cabinet.index, cabinet.objects)
    assert (await cabinet.index.head()).count == 0
    volume.mount()
    assert volume.objects() == {entry.path}
    assert await sweep(cabinet.index, cabinet.objects, now=time.time() + 60) == 1


async def test_a_store_that_outlived_its_redis_is_taken_in(volume: Volume) -> None:
    """The name that it has is the one that is known from then on."""
    entry = await volume.write(due=time.time() + DAY)
    await volume.shared.state.flushall()
    found = await reconcile(volume.cabinet.index, volume.cabinet.objects, volume.cabinet.settings)
    assert found.adopted == 1
    assert [one.path for one in await volume.cabinet.index.many([entry.id])] == [entry.path]
    volume.unmount()
    with pytest.raises(WrongStore):
        await sweep(volume.cabinet.index, volume.cabinet.objects)


async def test_a_large_store_is_compared_piece_by_piece(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run goes on where the last one ended, in whatever process; together they find what one would have found."""
    monkeypatch.setattr(reconciling, "BATCH", 4)
    cabinet, shared = volume.cabinet, volume.shared
    entries = [await volume.write(due=time.time() + DAY * 30, tenant=f"t{number % 3}") for number in range(30)]
    for entry in entries[:5]:
        (volume.folder / entry.path).unlink()
    orphans = [path.replace("transcript/2026", "transcript/2025") for path in (one.path for one in entries[5:12])]
    for path in orphans:
        assert await cabinet.objects.create(path, b"lost")
    await cabinet.objects.create("t1/notes.txt", b"not ours")
    runs, compared, ways = 0, Comparison(time.time()), set[tuple[Phase, str]]()
    while compared.phase is not Phase.DONE:
        await compared.write(shared.state, shared.keys)
        found = await Comparison.read(shared.state, shared.keys)
        assert found == compared
        compared = await reconcile(cabinet.index, cabinet.objects, cabinet.settings, found, for_s=0)
        assert (compared.phase, compared.at) not in ways
        ways.add((compared.phase, compared.at))
        runs += 1
    assert compared.counts() == {"adopted": 7, "closed": 5, "unknown": 1}
    assert runs >= 33 // 4
    assert {one.path for one in await cabinet.index.many([id_of(path) for path in orphans])} == set(orphans)


async def test_a_comparison_rests_when_all_is_compared(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task goes on with one that is under way, and begins the next after its time."""
    compare, shared = sweeping._compare, volume.shared
    await volume.write(due=time.time() + DAY)
    await compare(shared)
    done = await Comparison.read(shared.state, shared.keys)
    assert done is not None
    assert done.phase is Phase.DONE
    await compare(shared)
    assert await Comparison.read(shared.state, shared.keys) == done
    await replace(done, began=done.began - sweeping.EVERY_S).write(shared.state, shared.keys)
    await compare(shared)
    again = await Comparison.read(shared.state, shared.keys)
    assert again is not None
    assert again.began >= done.began


async def test_what_stays_due_is_told_though_it_is_claimed_again_and_again(
    volume: Volume, late: Gauge, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not delete: the gauge says since when, and after ten minutes it is an error."""
    await volume.write(due=time.time() - 900)
    refused = []

    async def refuse(objects: Objects, path: str) -> None:
        refused.append(path)
        raise ConnectionFailed("records")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete", refuse)
        await sweeping._sweep(volume.shared)
    assert len(refused) == 1  # claimed, so due in 15 s again by its lease
    assert late.values == [pytest.approx(900, abs=30)]
    (told,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert (told.message, told.__dict__["late_s"]) == ("records are due and still there", pytest.approx(900, abs=30))


async def test_a_store_that_is_gone_is_told_each_time_and_fails_no_task(
    volume: Volume, late: Gauge, caplog: pytest.LogCaptureFixture
) -> None:
    """Sweep, comparison and sealing say so; what is late is told all the same."""
    await volume.write(due=time.time() - 700)
    volume.unmount()
    for task in (sweeping._sweep, sweeping._compare, sweeping._seal):
        await task(volume.shared)
    said = [(one.message, one.__dict__.get("what")) for one in caplog.records if one.levelno == logging.ERROR]
    wrong = "the store is not the one that it was"
    assert {what for message, what in said if message == wrong} == {"not swept", "not compared", "receipts not sealed"}
    assert late.values == [pytest.approx(700, abs=30)]
    assert ("records are due and still there", None) in said


async def test_an_erasure_is_late_by_when_it_was_asked_for(volume: Volume, late: Gauge) -> None:
    """Not since the beginning of time."""
    entry = await volume.write(due=time.time() + DAY)
    await volume.cabinet.index.sooner([entry.id], Reason.ERASURE)
    assert await volume.cabinet.index.late_s() < 30
    assert await volume.cabinet.index.late_s(time.time() + 100) == pytest.approx(100, abs=30)
    await sweeping._sweep(volume.shared)
    assert late.values == [0]

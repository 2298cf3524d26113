"""Recordings on a disk that takes nothing: memory stays bounded, and other callers are recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from task_harness import a_record

from control.gateway import recording as recording_module
from control.gateway.recorder import Recorder
from control.gateway.recording import Recordings
from control.records import audio
from control.records.data_class import DataClass
from control.records.entry import Entry
from control.records.index import Begun
from control.records.policy import Rule, snapshot
from control.records.spools import append, begin
from voicebackend.errors import ConnectionFailed
from voicebackend.keys import Keys
from voicebackend.tape import RATE

SECOND = RATE * audio.FRAME_BYTES
MOST = 4 * SECOND


class Shelf:
    """A store: how long each recording in it was on disk, in bytes."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.away = False
        self.holds: Any = None
        self.index: Any = None

    def entry(self, record: Any, kind: DataClass, name: str, _: Rule) -> Entry:
        """Return an entry."""
        about = {"tenant": record.tenant, "data_class": kind.value, "session": record.id, "due": 0.0}
        return Entry(id=name, path=f"{record.tenant}/{record.id}/{name}", **about)  # type: ignore[arg-type]

    async def write(self, entry: Entry, _: bytes) -> bool:
        """Keep it, unless the store is away."""
        if self.away:
            raise ConnectionFailed("records", "the store is away")
        self.kept.append(entry.session)
        return True


class NoRedis:
    """Says that nothing is masked, and that no session has a record."""

    def __init__(self) -> None:
        self._asked = 0

    def pipeline(self, **_: Any) -> Any:
        """Return what takes questions."""
        return NoRedis()

    def hget(self, *_: Any) -> None:
        """Ask for something."""
        self._asked += 1

    async def execute(self) -> list[Any]:
        """Answer."""
        return [None] * self._asked

    async def hvals(self, _: str) -> list[bytes]:
        """Answer: nobody wants to be told."""
        return []

    async def pttl(self, _: str) -> int:
        """Answer."""
        return -2


class Disk:
    """Is full for one session."""

    def __init__(self) -> None:
        self.full_for = ""

    def begin(self, spool: Path, entry: Entry) -> None:
        """Make room, if there is any."""
        if entry.session == self.full_for:
            raise OSError(28, "no space")
        begin(spool, entry)

    def append(self, spool: Path, data: bytes, at: int) -> None:
        """Write, if there is room."""
        if self.full_for and self.full_for in spool.with_suffix(".json").read_text():
            raise OSError(28, "no space")
        append(spool, data, at)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Give a disk that can be full."""
    disk = Disk()
    monkeypatch.setattr(recording_module, "begin", disk.begin)
    monkeypatch.setattr(recording_module, "append", disk.append)
    monkeypatch.setattr(recording_module, "MAX_WAITING", MOST)
    return disk


async def two(folder: Path, shelf: Shelf) -> tuple[Recordings, list[Recorder]]:
    """Return two recordings of one process."""
    recordings = Recordings(cast(Any, shelf), folder, lambda: None, cast(Any, NoRedis()), Keys())
    rules = snapshot({DataClass.AUDIO: Rule("all", 3_600.0)})
    opened = [await recordings.open(replace(a_record(retention=rules), id=name * 32), RATE) for name in "ab"]
    return recordings, [recorder for recorder in opened if recorder is not None]


@pytest.mark.parametrize("between_parts", [True, False])
async def test_a_full_disk_costs_bounded_memory_and_no_other_recording(
    disk: Disk, tmp_path: Path, *, between_parts: bool
) -> None:
    """Whether it was full when a part began or in its midst; where there is room again, it is written on."""
    shelf = Shelf()
    recordings, [unlucky, lucky] = await two(tmp_path, shelf)
    disk.full_for = unlucky.record.id
    if between_parts:
        unlucky.stop()
    began = unlucky.part_began
    for _ in range(10):
        unlucky.waiting += bytes(SECOND)
        lucky.waiting += bytes(SECOND)
        await recordings._flush()
        assert len(unlucky.waiting) <= MOST + SECOND
        assert len(lucky.waiting) == 0
    assert lucky.written >= 10 * SECOND
    lost_s = unlucky.part_began - began
    assert lost_s >= 6 - 0.01  # the part that comes begins behind what is lost
    disk.full_for = ""
    await recordings._flush()
    assert unlucky.written >= MOST
    for recorder in (unlucky, lucky):
        recordings.end(recorder)
    await recordings.aclose()
    assert {unlucky.record.id, lucky.record.id} <= set(shelf.kept)


async def test_a_recording_that_ends_on_a_full_disk_is_stored_as_far_as_it_was_written(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that could not begin is lost, and told; none of it ends in an error that nobody takes."""
    shelf = Shelf()
    recordings, [unlucky, lucky] = await two(tmp_path, shelf)
    unlucky.waiting += bytes(SECOND)
    await recordings._flush()
    lucky.stop()
    for recorder in (unlucky, lucky):
        disk.full_for = recorder.record.id
        recorder.waiting += bytes(SECOND)
        recordings.end(recorder)
        ending = list(recordings._ending)
        for task in ending:
            await task
    await recordings.aclose()
    assert shelf.kept == [unlucky.record.id]
    assert caplog.text.count("recording not written") == 2


def on_disk(folder: Path) -> int:
    """Return how many parts lie on disk."""
    return len(list(folder.rglob("*.pcm")))


async def test_what_the_store_did_not_take_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same process, until it does."""
    monkeypatch.setattr(recording_module, "RETRY_S", 0.02)
    shelf = Shelf()
    recordings, [one, other] = await two(tmp_path, shelf)
    shelf.away = True
    for recorder in (one, other):
        recorder.waiting += bytes(SECOND)
        recordings.end(recorder)
    await asyncio.gather(*recordings._ending)
    assert (shelf.kept, on_disk(tmp_path)) == ([], 2)
    recordings.start()
    shelf.away = False
    async with asyncio.timeout(10):
        while on_disk(tmp_path):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    await recordings.aclose()
    assert sorted(shelf.kept) == sorted([one.record.id, other.record.id])


@dataclass
class Notes:
    """Stands in for holds and index of a store: nothing is held, and what is noted is remembered."""

    noted: list[str] = field(default_factory=list)

    async def covering(self, _: str) -> Any:
        """Hold nothing."""
        return lambda *_: False

    async def begin(self, entry: Entry) -> Begun:
        """Note it."""
        self.noted.append(entry.session)
        return Begun.BEGUN


async def test_what_is_older_than_the_notes_of_withdrawals_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows any more whether it may be kept: it is deleted, and that is told."""
    shelf = Shelf()
    shelf.holds = shelf.index = notes = Notes()
    recordings, [old, _] = await two(tmp_path, shelf)
    old.waiting += bytes(SECOND)
    monkeypatch.setattr(recording_module, "NOTED_S", -1)
    recordings.end(old)
    await asyncio.gather(*recordings._ending)
    await recordings.aclose()
    assert (shelf.kept, notes.noted) == ([], [old.record.id])
    assert on_disk(tmp_path) == 1  # the other's, who is recorded still
    assert "too old to know whether it may be kept" in caplog.text

"""Objects from their writing to their receipts, on a real Redis and a real folder."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from swept_store import KEYS, Kept

from control.records import holds as holding
from control.records import index as indexing
from control.records.entry import Entry, EntryState, Reason
from control.records.index import Begun, Claimed, Fate
from control.records.paths import id_of
from control.records.policy import RetentionSettings
from control.records.reconcile import reconcile
from control.records.sweep import PORTION, sweep
from control.records.writer import write
from voicebackend.errors import ConnectionFailed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
DAY = 86_400.0


@pytest.fixture
async def kept(redis: Redis, tmp_path: Path) -> Kept:
    """Give an empty store."""
    return Kept(redis, tmp_path / "records")


async def test_what_is_due_goes_and_leaves_a_receipt_and_nothing_else(kept: Kept) -> None:
    """What is not due stays."""
    gone = await kept.write(due=time.time() - 1, subjects=("ab",))
    stays = await kept.write(due=time.time() + DAY)
    assert await sweep(kept.index, kept.objects) == 1
    assert kept.files() == {stays.path}
    (receipt,) = await kept.receipts()
    assert (receipt.id, receipt.tenant, receipt.reason, receipt.size) == (gone.id, "t", "ttl", 17)
    assert gone.path not in receipt.line
    assert not await kept.redis.exists(
        KEYS.record(gone.id), KEYS.records_of(gone.session), KEYS.records_about("t", "ab")
    )
    assert await sweep(kept.index, kept.objects) == 0


async def test_an_object_that_was_noted_and_never_written_is_cleared(kept: Kept) -> None:
    """A crash between index and store leaves nothing behind."""
    entry = Entry(id="e", path="t/x", tenant="t", data_class="audio", session="s", due=1.0)
    assert await kept.index.begin(entry) is Begun.BEGUN
    assert await kept.index.begin(entry) is Begun.KNOWN
    assert await sweep(kept.index, kept.objects) == 1
    assert [receipt.size for receipt in await kept.receipts()] == [0]


async def test_writing_twice_writes_once(kept: Kept) -> None:
    """A task that Celery runs again changes nothing."""
    entry = await kept.write(due=time.time() + DAY)
    assert await write(kept.index, kept.objects, entry, b"other")
    assert (kept.folder / entry.path).read_bytes() == b'{"said": "hello"}'


async def test_a_hold_keeps_what_is_due_and_lifting_it_lets_it_go(kept: Kept) -> None:
    """By session, by subject and by tenant; another tenant's are not touched."""
    entry = await kept.write(due=time.time() - 1, session="a" * 32, subjects=("ab",))
    other = await kept.write(due=time.time() - 1, tenant="other")
    placed = [
        await kept.holds.place("t", scope, reason="lawsuit", by="ops")
        for scope in ("*", f"session:{entry.session}", "subject:ab")
    ]
    assert [found[Fate.HELD] for _, found in placed] == [1, 1, 1]
    assert await sweep(kept.index, kept.objects) == 1
    assert kept.files() == {entry.path}
    assert (await kept.receipts())[0].id == other.id
    assert await kept.index.sooner([entry.id, "none"], Reason.ERASURE) == [Fate.HELD, Fate.GONE]
    for hold, _ in placed:
        assert kept.files() == {entry.path}
        assert hold in await kept.holds.all("t")
        assert await kept.holds.lift("t", hold.id)
        await sweep(kept.index, kept.objects)
    assert kept.files() == set()
    assert (await kept.receipts())[1].reason == "erasure"
    assert not await kept.holds.lift("t", placed[0][0].id)
    assert await kept.holds.all("t") == []


async def test_what_was_claimed_before_a_hold_came_is_not_being_deleted_any_more(kept: Kept) -> None:
    """The sweep that had claimed it died, or does not come to its end before the lease lapses: it changes nothing."""
    entry = await kept.write(due=time.time() - 1)
    claimed = await kept.index.claim(lease_s=0.001)
    await asyncio.sleep(0.01)
    await kept.holds.place("t", "*", reason="lawsuit", by="ops")
    assert await sweep(kept.index, kept.objects) == 0
    assert [one.state for one in await kept.index.many([entry.id])] == [EntryState.STORED]
    assert await kept.index.finalise(claimed) == 0
    assert await kept.receipts() == []


async def test_whoever_places_or_lifts_a_hold_waits_for_no_walk_through_everything(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds at once, counted or not; what was not given back is by the task that is scheduled."""
    monkeypatch.setattr(holding, "WALK_S", 0.0)
    monkeypatch.setattr(indexing, "BATCH", 10)
    entries = [await kept.write(due=time.time() - 1) for _ in range(300)]
    hold, found = await kept.holds.place("t", "*", reason="lawsuit", by="ops")
    assert not found
    assert await sweep(kept.index, kept.objects, rate=100_000) == 0
    assert await kept.holds.lift("t", hold.id)
    due, held = await kept.index.counted()
    assert 0 < due < len(entries) == due + held
    assert await kept.holds.release() == held
    assert await sweep(kept.index, kept.objects, rate=100_000) == len(entries)


async def test_a_sweep_goes_on_behind_what_is_held(kept: Kept) -> None:
    """However much of that is due before the rest."""
    held = "a" * 32
    for _ in range(3 * PORTION):
        await kept.write(due=time.time() - DAY, session=held)
    await kept.holds.place("t", f"session:{held}", reason="lawsuit", by="ops")
    await kept.write(due=time.time() - 1)
    assert await sweep(kept.index, kept.objects, rate=200) == 1


async def test_a_sweep_never_has_redis_busy_with_more_than_a_portion(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast it may go: calls wait while a script runs."""
    asked: list[int] = []
    claim = kept.index.claim

    async def noted(*, most: int, now: float) -> Claimed:
        asked.append(most)
        return await claim(most=most, now=now)

    monkeypatch.setattr(kept.index, "claim", noted)
    for _ in range(2 * PORTION):
        await kept.write(due=time.time() - 1)
    assert await sweep(kept.index, kept.objects, rate=100_000) == 2 * PORTION
    assert asked == [PORTION] * 3


async def test_what_is_to_be_erased_goes_before_its_time(kept: Kept) -> None:
    """And is never kept longer than it would have been."""
    entry = await kept.write(due=time.time() + DAY)
    assert await kept.index.sooner([entry.id], Reason.ERASURE) == [Fate.DUE]
    assert await sweep(kept.index, kept.objects) == 1
    assert (await kept.receipts())[0].reason == "erasure"


async def test_holds_that_race_the_sweep_never_lie(kept: Kept) -> None:
    """What was answered ``held`` is there; what was answered ``too late`` or ``gone`` may be gone."""
    entries = [await kept.write(due=time.time() - 1) for _ in range(120)]
    sweeping = asyncio.gather(*(sweep(kept.index, kept.objects, rate=2_000) for _ in range(3)))
    held: list[Entry] = []
    for entry in reversed(entries):
        _, found = await kept.holds.place("t", f"session:{entry.session}", reason="r", by="b")
        if found[Fate.HELD]:
            held.append(entry)
    done = sum(await sweeping) + await sweep(kept.index, kept.objects)
    assert held  # the sweep began with the others
    assert {entry.path for entry in held} <= kept.files()
    assert len(await kept.receipts()) == done == len(entries) - len(kept.files())


async def test_a_store_that_is_away_loses_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be deleted has no receipt, and is tried again when its lease has lapsed."""
    entry = await kept.write(due=time.time() - 1)
    blocked = kept.folder.rename(kept.folder.with_name("away"))
    kept.folder.write_text("in the way")
    with pytest.raises(ConnectionFailed):
        await sweep(kept.index, kept.objects)
    kept.folder.unlink()
    blocked.rename(kept.folder)
    assert await kept.receipts() == []
    assert kept.files() == {entry.path}
    assert await sweep(kept.index, kept.objects) == 1
    assert entry.path not in kept.files()


async def test_sweeps_that_are_cut_off_anywhere_leave_one_receipt_an_object(kept: Kept) -> None:
    """Cancelled at random moments, with leases that lapse at once, five at a time."""
    entries = [await kept.write(due=time.time() - 1) for _ in range(150)]

    async def cut_off(after_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                claimed = await kept.index.claim(most=20, lease_s=0.001)
                for entry in claimed.entries:
                    await kept.objects.delete(entry.path)
                await kept.index.finalise(claimed)

    for round_ in range(20):
        await asyncio.gather(*(cut_off(0.002 * (round_ + number)) for number in range(5)))
    await sweep(kept.index, kept.objects)
    receipts = await kept.receipts()
    assert sorted(receipt.id for receipt in receipts) == sorted(entry.id for entry in entries)
    assert kept.files() == set()


POLICY = {"id": "transcripts", "class": "transcript", "ttl": 3600}
SETTINGS = RetentionSettings.of({"store": "memory:///", "subject_key": "k" * 32, "policies": [POLICY]})


async def test_store_and_index_are_compared_both_ways(kept: Kept) -> None:
    """An object without an entry gets one by its path's day; an entry without an object is closed with a receipt."""
    whole = await kept.write(due=time.time() + DAY)
    lost = await kept.write(due=time.time() + DAY)
    (kept.folder / lost.path).unlink()
    path = f"t/transcript/2026/01/02/{secrets.token_hex(16)}/transcript.json"
    assert await kept.objects.create(path, b"orphan")
    assert await kept.objects.create("t/notes.txt", b"somebody else's")
    assert (await reconcile(kept.index, kept.objects, SETTINGS)).counts() == {"adopted": 1, "closed": 1, "unknown": 1}
    (adopted,) = await kept.index.many([id_of(path)])
    assert (adopted.tenant, adopted.policy, adopted.size) == ("t", "transcripts", 6)
    assert (await reconcile(kept.index, kept.objects, SETTINGS)).counts() == {"adopted": 0, "closed": 1, "unknown": 1}
    assert await sweep(kept.index, kept.objects) == 2
    assert {receipt.reason for receipt in await kept.receipts()} == {"missing", "ttl"}
    assert kept.files() == {whole.path, "t/notes.txt"}
    assert (await reconcile(kept.index, kept.objects, SETTINGS)).counts() == {"adopted": 0, "closed": 0, "unknown": 1}


async def test_what_was_deleted_does_not_come_back(kept: Kept) -> None:
    """Neither by its id, from a disk where it lay, nor from an upload that a sweep overtook."""
    gone = await kept.write(due=time.time() - 1)
    assert await sweep(kept.index, kept.objects) == 1
    assert not await write(kept.index, kept.objects, gone, b"again")
    path = f"t/transcript/2026/11/23/{secrets.token_hex(16)}/late.json"
    late = Entry(id=id_of(path), path=path, tenant="t", data_class="transcript", session="s", due=1.0)
    assert await kept.index.begin(late) is Begun.BEGUN
    assert await sweep(kept.index, kept.objects) == 1
    assert await kept.objects.create(path, b"late")
    assert not await kept.index.stored(late.id, 4, "")
    assert not any((await reconcile(kept.index, kept.objects, SETTINGS)).counts().values())
    assert kept.files() == set()
    assert len(await kept.receipts()) == 2


async def test_nothing_is_written_of_a_session_before_its_persons_erasure(kept: Kept) -> None:
    """But of one after it; and of one that a hold covers."""
    await kept.redis.set(KEYS.records_erased("t", "ab"), 5_000)
    about = {"tenant": "t", "data_class": "audio", "due": time.time() + DAY, "subjects": ("ab",)}
    before = Entry(id="1", path="t/1", session="s1", began=4.0, **about)  # type: ignore[arg-type]
    after = Entry(id="2", path="t/2", session="s2", began=6.0, **about)  # type: ignore[arg-type]
    assert not await write(kept.index, kept.objects, before, b"1")
    assert await write(kept.index, kept.objects, after, b"2")
    assert kept.files() == {"t/2"}
    await kept.holds.place("t", "session:s1", reason="lawsuit", by="ops")
    assert await write(kept.index, kept.objects, before, b"1")


async def test_a_lift_that_nobody_finished_is_finished_later(kept: Kept) -> None:
    """What it had held is deleted."""
    entry = await kept.write(due=time.time() - 1)
    await kept.holds.place("t", "*", reason="lawsuit", by="ops")
    assert await sweep(kept.index, kept.objects) == 0
    await kept.redis.delete(KEYS.records_holds("t"))  # as by a process that died then
    assert await sweep(kept.index, kept.objects) == 0
    assert await kept.holds.release() == 1
    assert await sweep(kept.index, kept.objects) == 1
    assert entry.path not in kept.files()

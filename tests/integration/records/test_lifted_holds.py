"""What a lifted hold had kept: given back piece by piece, and deleted for the reason that is true of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis
from swept_store import KEYS, Kept

from control.records import holds as holding
from control.records import index as indexing
from control.records.entry import Entry, Reason
from control.records.holds import PORTION
from control.records.index import AT_ONCE, Fate
from control.records.sweep import sweep
from control.records.writer import write
from control.tasks import sweeping

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
DAY = 86_400.0


@pytest.fixture
async def kept(redis: Redis, tmp_path: Path) -> Kept:
    """Give an empty store."""
    return Kept(redis, tmp_path / "records")


async def aside(kept: Kept, *, due: float) -> str:
    """Return the id of an object that a hold kept until just now, and that was not given back yet."""
    entry = await kept.write(due=due)
    hold, _ = await kept.holds.place("t", f"session:{entry.session}", reason="lawsuit", by="ops")
    assert (await kept.index.claim(now=due + 1)).entries == ()
    await kept.redis.hdel(KEYS.records_holds("t"), hold.scope)  # type: ignore[misc]  # the client's types
    return entry.id


async def test_what_is_withdrawn_before_a_lifted_hold_gave_it_back_goes_at_once(kept: Kept) -> None:
    """Also where a clock that was ahead had it put aside before its time."""
    id_ = await aside(kept, due=time.time() + DAY)
    assert await kept.index.sooner([id_], Reason.WITHDRAWN) == [Fate.DUE]
    assert await kept.redis.zscore(KEYS.records_held(), id_) == AT_ONCE * 1000
    assert await kept.index.release([id_]) == 1
    (gone,) = (await kept.index.claim()).entries
    assert (gone.id, gone.reason) == (id_, Reason.WITHDRAWN)


async def test_what_is_given_back_is_due_when_its_entry_says(kept: Kept) -> None:
    """Whatever it was put aside under."""
    id_ = await aside(kept, due=time.time() - 1)
    await kept.redis.zadd(KEYS.records_held(), {id_: (time.time() + DAY) * 1000})
    assert await kept.index.release([id_]) == 1
    assert [entry.id for entry in (await kept.index.claim()).entries] == [id_]


@pytest.mark.parametrize(("erased", "reason"), [(False, Reason.TTL), (True, Reason.ERASURE)])
async def test_what_comes_back_under_a_hold_goes_for_the_reason_that_is_true_of_it(
    kept: Kept, erased: bool, reason: Reason
) -> None:
    """Its time was over, and nobody asked for an erasure: no receipt says so."""
    entry = await kept.write(due=time.time() - 1, subjects=("ab",))
    assert await sweep(kept.index, kept.objects) == 1
    if erased:
        await kept.redis.set(KEYS.records_erased("t", "ab"), round(time.time() * 1000))
    hold, _ = await kept.holds.place("t", "*", reason="lawsuit", by="ops")
    assert await write(kept.index, kept.objects, entry, b"again")
    assert await kept.holds.lift("t", hold.id)
    assert await sweep(kept.index, kept.objects) == 1
    assert [one.reason for one in await kept.receipts()] == [Reason.TTL, reason]
    listed = await kept.redis.xlen(KEYS.records_erased_receipts("t", "ab"))
    assert listed == int(erased)


async def held(kept: Kept, count: int, *, session: str) -> list[str]:
    """Have so many objects of a session put aside, all at once; return their ids."""
    ids = [f"{session}-{number}" for number in range(count)]
    pipe = kept.redis.pipeline()
    for id_ in ids:
        entry = Entry(id=id_, path=f"t/{id_}", tenant="t", data_class="audio", session=session, due=1.0)
        pipe.hset(KEYS.record(id_), mapping=entry.to_fields())  # type: ignore[arg-type]  # the client's types
        pipe.sadd(KEYS.records_of(session), id_)
        pipe.zadd(KEYS.records_held(), {id_: 1_000.0})
    await pipe.execute()
    return ids


async def test_a_walk_that_is_too_short_for_all_that_is_held_goes_on_where_it_ended(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other holds keep does not stand before what is to be given back; each script is a small one."""
    monkeypatch.setattr(indexing, "BATCH", 10)
    portions: list[int] = []
    release = kept.index.release

    async def noted(ids: Sequence[str]) -> int:
        portions.append(len(ids))
        return await release(ids)

    monkeypatch.setattr(kept.index, "release", noted)
    await held(kept, 300, session="a")
    await kept.holds.place("t", "session:a", reason="lawsuit", by="ops")
    await held(kept, 50, session="b")  # whose hold was lifted by a process that died then
    given_back = [await kept.holds.release(for_s=0.0) for _ in range(70)]
    assert sum(given_back) == 50
    assert max(given_back) < 50
    assert max(portions) <= PORTION
    assert await kept.index.counted() == (50, 300)


async def test_lifting_a_hold_gives_back_what_it_kept_before_anything_else(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much other holds keep."""
    monkeypatch.setattr(indexing, "BATCH", 10)
    monkeypatch.setattr(holding, "WALK_S", 0.0)
    await held(kept, 300, session="a")
    await kept.holds.place("t", "session:a", reason="lawsuit", by="ops")
    await held(kept, 3, session="b")
    hold, _ = await kept.holds.place("t", "session:b", reason="lawsuit", by="ops")
    assert await kept.holds.lift("t", hold.id)
    assert await kept.index.counted() == (3, 300)


def test_one_task_has_time_to_give_back_and_to_compare() -> None:
    """The first never takes the second's."""
    assert sweeping.RELEASE_S + sweeping.COMPARE_S < sweeping.TIMEOUT_S

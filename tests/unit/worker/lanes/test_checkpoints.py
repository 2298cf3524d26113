"""A lane's checkpoint is written by its holder alone, and even into a Redis that is full; on a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from worker_harness import eventually

from voicebackend.keys import Keys
from voicebackend.streams import EntryId
from worker.lane import Lane
from worker.lanes.checkpoint_writer import CheckpointWriter
from worker.lanes.checkpoints import Checkpoint, Checkpoints
from worker.lease import Lease

LANE, EPOCH = 3, 1_700_000_000_000
HERE = EntryId(17, 4)


class Session:
    """A runner, as the writer sees it."""

    def __init__(self) -> None:
        self.snapshot: bytes | None = b"first"
        self.asked = 0

    def checkpoint(self) -> bytes | None:
        """Give the snapshot once."""
        self.asked += 1
        snapshot, self.snapshot = self.snapshot, None
        return snapshot


class Sessions:
    """A roster of one lane."""

    def __init__(self) -> None:
        self.runners = {"a": Session()}

    def of(self, lane: Lane) -> dict[str, Session]:
        """Return who runs."""
        return self.runners

    def ids_of(self, lane: Lane) -> set[str]:
        """Return their ids."""
        return set(self.runners)


@pytest.fixture
def store(redis: Redis) -> Checkpoints:
    return Checkpoints(redis, Keys())


@pytest.fixture
def lane() -> Lane:
    return Lane(Lease(lane=LANE, worker="w", epoch=EPOCH), now=0.0)


async def test_a_checkpoint_is_read_as_it_was_written(store: Checkpoints) -> None:
    """Position, sessions, and how often the lane was taken over in vain."""
    assert await store.read(LANE) == Checkpoint()
    assert await store.write(LANE, EPOCH, position=HERE, changed={"a": b"\x00one", "b": b"two"})
    assert await store.taken_over(LANE, EPOCH, 2)
    assert await store.suspect(LANE, EPOCH, "b")
    assert await store.write(LANE, EPOCH, position=HERE, changed={"c": b"three"}, gone=["a", "unknown"])
    found = await store.read(LANE)
    assert found == Checkpoint(position=HERE, takeovers=2, suspect="b", sessions={"b": b"two", "c": b"three"})


async def test_a_holder_from_before_writes_nothing_and_learns_it(store: Checkpoints, redis: Redis) -> None:
    """The epoch beside the lane decides; one that is missing or older is brought up to date."""
    assert await store.write(LANE, EPOCH, position=HERE, changed={"a": b"new"})
    assert int(await redis.get(Keys().lane_epoch(LANE)) or 0) == EPOCH
    assert not await store.write(LANE, EPOCH - 1, position=EntryId(), changed={"a": b"old"}, gone=["a"])
    assert (await store.read(LANE)).sessions == {"a": b"new"}


async def test_a_redis_that_is_full_still_takes_checkpoints(store: Checkpoints, redis: Redis) -> None:
    """What calls need to survive is not what memory is saved on."""
    await redis.config_set("maxmemory", 1)
    try:
        assert await store.write(LANE, EPOCH, position=HERE, changed={"a": b"one"})
    finally:
        await redis.config_set("maxmemory", 0)
    assert (await store.read(LANE)).sessions == {"a": b"one"}


async def test_what_a_session_asks_for_is_written_soon_and_what_ended_is_forgotten(
    store: Checkpoints, lane: Lane
) -> None:
    """A writer keeps what it could not write; an ended session leaves the checkpoint."""
    sessions = Sessions()
    writer = CheckpointWriter(lane, cast("Any", sessions), store, known=["old"], on_lost=lambda lane: None)
    task = asyncio.create_task(writer.run(), name="writer")
    lane.position = HERE
    lane.due("a")
    found: Checkpoint | None = None

    async def holds(expected: dict[str, bytes]) -> bool:
        nonlocal found
        found = await store.read(LANE)
        return found.sessions == expected

    await eventually(lambda: holds({"a": b"first"}))
    assert found is not None
    assert found.position == HERE
    sessions.runners.clear()
    await eventually(lambda: holds({}))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_could_not_be_written_is_written_later(store: Checkpoints, lane: Lane, redis: Redis) -> None:
    """A session says once that it changed; a failed write does not lose that."""
    sessions = Sessions()
    writer = CheckpointWriter(lane, cast("Any", sessions), store, known=(), on_lost=lambda lane: None)
    await redis.set(Keys().lane_checkpoint(LANE), "no hash", ex=60)
    assert await writer.write()
    await redis.delete(Keys().lane_checkpoint(LANE))
    assert await writer.write()
    assert (await store.read(LANE)).sessions == {"a": b"first"}
    assert sessions.runners["a"].asked == 1


async def test_a_writer_of_a_lost_lane_lets_go(store: Checkpoints, lane: Lane) -> None:
    """Whoever finds a later epoch stops at once."""
    lost: list[Lane] = []
    await store.write(LANE, EPOCH + 1, position=HERE, changed={})
    writer = CheckpointWriter(lane, cast("Any", Sessions()), store, known=(), on_lost=lost.append)
    lane.due("a")
    async with asyncio.timeout(5):
        await writer.run()
    assert lost == [lane]

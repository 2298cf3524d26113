"""A real Cluster of three masters in the role of audio: streams on every node, read and written by the one client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.exceptions import RedisError
from redis_servers import RedisProcess, cluster_url, redis_cluster, until_whole

from voicebackend import channel
from voicebackend._cluster import ClusterClient
from voicebackend._redis import connect
from voicebackend._wire import Wire
from voicebackend.keys import Keys
from voicebackend.streams import Frame, Kind
from worker.lease import Leases

pytestmark = pytest.mark.own_redis("the servers themselves are tested")

LANES = 12
SESSION = "0" * 31 + "1"
SLOT_COUNT = 16_384


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisProcess]]:
    with redis_cluster() as running:
        yield running


@asynccontextmanager
async def opened(nodes: list[RedisProcess], lanes: range) -> AsyncIterator[tuple[channel.Sender, channel.Reader]]:
    """Make streams of their own for lanes, and give both ends."""
    url, keys = cluster_url(nodes), Keys()
    client, blocking = connect(url), connect(url, timeout_s=None, max_connections=1)
    sender, reader = channel.Sender(client), channel.Reader(blocking)
    sending = asyncio.create_task(sender.run())
    try:
        for lane in lanes:
            reader.add(keys.lane(lane), await channel.create(client, keys.lane(lane)))
        yield sender, reader
    finally:
        sending.cancel()
        for lane in lanes:
            with suppress(RedisError):  # from a node that was restarted, the first time
                await channel.remove(client, keys.lane(lane))
        await client.aclose()
        await blocking.aclose()


async def read(reader: channel.Reader, count: int) -> dict[str, list[int]]:
    """Return the numbers of the frames in each stream, once there are so many."""
    found: dict[str, list[int]] = {}
    async with asyncio.timeout(15):
        while sum(map(len, found.values())) < count:
            for stream, entries in await reader.read():
                found.setdefault(stream, []).extend(frame.seq for entry in entries for frame in entry.frames)
    return found


async def test_streams_on_all_nodes_are_carried_in_order(nodes: list[RedisProcess]) -> None:
    """Each lane is one key on some node; nothing is lost, repeated or out of order."""
    async with opened(nodes, range(LANES)) as (sender, reader):
        for seq in range(1, 51):
            for lane in range(LANES):
                sender.send(Keys().lane(lane), Frame(session=SESSION, kind=Kind.AUDIO_IN, seq=seq, payload=bytes(640)))
            await asyncio.sleep(0.005)
        found = await read(reader, 50 * LANES)

    assert found == {Keys().lane(lane): list(range(1, 51)) for lane in range(LANES)}
    assert sender.dropped == 0


async def test_lanes_are_spread_over_the_nodes(nodes: list[RedisProcess]) -> None:
    """Else a Cluster would be no use."""
    client = connect(cluster_url(nodes))
    assert isinstance(client, ClusterClient)
    try:
        assert len({await client.node_of(Keys().lane(lane)) for lane in range(64)}) == len(nodes)
    finally:
        await client.aclose()


async def test_a_lane_s_keys_are_together(nodes: list[RedisProcess]) -> None:
    """A script may use the stream, its epoch and its checkpoint at once, and a lease is claimed against the Cluster."""
    keys = Keys()
    client = connect(cluster_url(nodes))
    try:
        wire = Wire(client)
        script = "return #KEYS"
        assert await wire.execute(("EVAL", script, 3, keys.lane(7), keys.lane_epoch(7), keys.lane_checkpoint(7))) == [3]
        await client.set(keys.lane_epoch(7), 41)
        assert await client.get(keys.lane_epoch(7)) == b"41"
        await client.delete(keys.lane_epoch(7))
    finally:
        await client.aclose()


async def test_a_lease_takes_its_epoch_from_the_cluster(nodes: list[RedisProcess], redis_url: str) -> None:
    """State on one server, the copy of the epoch beside the lane."""
    state, audio = connect(redis_url), connect(cluster_url(nodes))
    leases = Leases(state, audio, Keys(), "worker")
    try:
        lease = await leases.claim(3)
        assert lease is not None
        assert int(await audio.get(Keys().lane_epoch(3)) or 0) == lease.epoch
        await leases.release(lease)
    finally:
        await audio.delete(Keys().lane_epoch(3))
        await state.aclose()
        await audio.aclose()


async def test_a_stream_is_kept_and_trimmed(nodes: list[RedisProcess]) -> None:
    """Its owner's calls work on a Cluster as on one server, and a lost stream is made anew."""
    client, blocking = connect(cluster_url(nodes)), connect(cluster_url(nodes), timeout_s=None)
    reader, stream = channel.Reader(blocking), Keys().lane(1)
    try:
        reader.add(stream, await channel.create(client, stream))
        await channel.keep(client, stream, reader, window_s=1)
        assert await client.ttl(stream) > 0
        await channel.remove(client, stream)
        await channel.keep(client, stream, reader, window_s=1)
        assert await client.exists(stream) == 1
        await channel.remove(client, stream)
    finally:
        await client.aclose()
        await blocking.aclose()


async def test_a_slot_that_moves_is_followed(nodes: list[RedisProcess]) -> None:
    """Streams of a slot that was handed to another node are written and read there after the first refusal."""
    client, stream = connect(cluster_url(nodes)), "{moving}"
    try:
        wire = Wire(client)
        await wire.execute(("SET", stream, "before"))
        await wire.execute(("DEL", stream))
        await asyncio.to_thread(_hand_over, nodes, stream)
        replies: Counter[str] = Counter()
        async with asyncio.timeout(10):
            while not replies["str"]:
                (reply,) = await wire.replies(("SET", stream, "after"))
                replies["error" if isinstance(reply, Exception) else "str"] += 1
                await asyncio.sleep(0.01)
        assert replies["error"] >= 1
        assert await client.get(stream) == b"after"
    finally:
        await client.delete(stream)
        await client.aclose()


def _hand_over(nodes: list[RedisProcess], key: str) -> None:
    """Give the key's slot, which is empty, to the next node, and tell every node."""
    with nodes[0].client() as first:
        slot = int(str(first.execute_command("CLUSTER KEYSLOT", key)))
    owner = next(number for number in range(3) if slot < (number + 1) * SLOT_COUNT // 3)
    with nodes[(owner + 1) % 3].client() as target:
        name = str(target.execute_command("CLUSTER MYID"))
    for node in nodes[(owner + 1) % 3 :] + nodes[: (owner + 1) % 3]:
        with node.client() as client:
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", name)


async def test_one_node_s_trouble_leaves_the_others_their_lanes() -> None:
    """While one node is gone, lanes elsewhere are carried; when it is back, so are its own."""
    with redis_cluster("--cluster-require-full-coverage", "no") as nodes:
        async with opened(nodes, range(LANES)) as (sender, reader):
            await asyncio.to_thread(nodes[0].kill)
            alive = [lane for lane in range(LANES) if not await _is_on(nodes[1], 0, lane)]
            for lane in alive:
                sender.send(Keys().lane(lane), Frame(session=SESSION, kind=Kind.DTMF, seq=1))
            found = await read(reader, len(alive))
            await asyncio.to_thread(nodes[0].start)
            await asyncio.to_thread(until_whole, nodes)

    assert 0 < len(alive) < LANES
    assert found == {Keys().lane(lane): [1] for lane in alive}


async def _is_on(asked: RedisProcess, number: int, lane: int) -> bool:
    with asked.client() as client:
        slot = int(str(client.execute_command("CLUSTER KEYSLOT", Keys().lane(lane))))
    return number * SLOT_COUNT // 3 <= slot < (number + 1) * SLOT_COUNT // 3


@pytest.mark.parametrize("steps", range(0, 40, 2))
async def test_who_asks_which_node_has_a_key_can_be_cancelled(nodes: list[RedisProcess], steps: int) -> None:
    """At any moment: on Python 3.11 the client's own connections may swallow that, and who waits for the task hangs."""
    client = connect(cluster_url(nodes))
    assert isinstance(client, ClusterClient)

    async def ask_for_ever() -> None:
        while True:
            client.moved()
            await client.node_of("key")

    await client.node_of("key")
    for _ in range(20):
        task = asyncio.create_task(ask_for_ever(), name="asks")
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done == {task}
    await client.aclose()

"""Senders and readers on a real Redis: bundled, in order, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from voicebackend import channel
from voicebackend._redis import connect
from voicebackend._wire import Wire
from voicebackend.backlog import MAX_PENDING
from voicebackend.channel import Reader, Sender
from voicebackend.streams import FIELD, MAX_PAYLOAD, STREAM_TTL_S, Frame, Kind, encode_bundle

SESSION = "0f" * 16


def frame(seq: int, kind: Kind = Kind.AUDIO_IN) -> Frame:
    """Return a numbered frame."""
    return Frame(session=SESSION, kind=kind, seq=seq, payload=b"x" * 640)


@pytest.fixture
async def reader(redis_url: str) -> AsyncIterator[Reader]:
    blocking = connect(redis_url, timeout_s=None)
    yield Reader(blocking)
    await blocking.aclose()


async def test_frames_arrive_bundled_and_in_order(redis: Redis, reader: Reader) -> None:
    """Many frames, few entries."""
    reader.add("lane", await channel.create(redis, "lane"))
    sender = Sender(redis)
    running = asyncio.create_task(sender.run())
    for seq in range(3000):
        sender.send("lane", frame(seq))
        if seq % 100 == 0:
            await asyncio.sleep(0)
    seqs: list[int] = []
    while len(seqs) < 3000:
        seqs += [found.seq for found in await reader.frames(block_ms=2000)]
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert seqs == list(range(3000))
    assert await redis.xlen("lane") < 300


async def test_nobody_home_leaves_nothing_behind(redis: Redis) -> None:
    """A stream without an owner is not created by who sends to it."""
    sender = Sender(redis)
    sender.send("nowhere", frame(1))
    await sender.flush()
    assert sender.dropped == 1
    assert await redis.exists("nowhere") == 0


async def test_a_stream_that_is_made_anew_gets_what_was_sent_meanwhile(redis: Redis, reader: Reader) -> None:
    """Its owner makes it once Redis is back; streams that are there are not held up."""
    reader.add("there", await channel.create(redis, "there"))
    sender = Sender(redis)
    running = asyncio.create_task(sender.run())
    for seq in range(1, 101):
        sender.send("lost", frame(seq, Kind.DTMF if seq % 10 == 0 else Kind.AUDIO_IN))
        sender.send("there", frame(seq))
        await asyncio.sleep(0.002)
    seqs: list[int] = []
    while len(seqs) < 100:
        seqs += [found.seq for found in await reader.frames()]
    assert repr(sender) == "<Sender [100 pending, 0 dropped]>"
    reader.add("lost", await channel.create(redis, "lost"))
    while len(seqs) < 200:
        seqs += [found.seq for found in await reader.frames()]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert seqs == [*range(1, 101), *range(1, 101)]


async def test_a_last_flush_waits_for_a_stream_no_longer_than_told(redis: Redis, reader: Reader) -> None:
    """Within its patience the stream may be made anew."""
    sender = Sender(redis)
    sender.send("lane", frame(1))
    flushing = asyncio.create_task(sender.flush(patience_s=30))
    await asyncio.sleep(0.15)
    assert not flushing.done()
    reader.add("lane", await channel.create(redis, "lane"))
    await flushing
    assert [found.seq for found in await reader.frames()] == [1]
    assert sender.dropped == 0


async def test_what_could_not_be_written_is_written_later_in_order(
    redis: Redis, reader: Reader, redis_url: str
) -> None:
    """A failed flush keeps everything."""
    reader.add("lane", await channel.create(redis, "lane"))
    broken = connect("redis://127.0.0.1:1/0")
    sender = Sender(broken)
    sender.send("lane", frame(1, Kind.START))
    with pytest.raises(RedisConnectionError):
        await sender.flush()
    await broken.aclose()
    sender._wire = Wire(redis)
    sender.send("lane", frame(2, Kind.CLOSE))
    await sender.flush()
    found = [got.seq for got in await reader.frames()]
    assert found == [1, 2]


async def test_a_sender_is_bounded_and_gives_up_audio_first(redis: Redis) -> None:
    """Control frames survive a flood of audio."""
    sender = Sender(redis)
    sender.send("lane", frame(0, Kind.CLOSE))
    for seq in range(MAX_PENDING + 10):
        sender.send("lane", frame(seq))
    assert sender.dropped == 11
    assert repr(sender) == f"<Sender [{MAX_PENDING} pending, 11 dropped]>"
    assert sender._pending["lane"].take()[0].kind is Kind.CLOSE


async def test_an_owned_stream_is_kept_short_and_alive(redis: Redis, reader: Reader) -> None:
    """Entries older than the window go once they are read, by Redis's clock; the stream expires without its owner."""
    reader.add("lane", await channel.create(redis, "lane"))
    for seq in range(500):
        await redis.xadd("lane", {FIELD: encode_bundle([frame(seq)])})
    await channel.keep(redis, "lane", reader, window_s=-1)
    seqs: list[int] = []
    while len(seqs) < 500:
        seqs += [found.seq for found in await reader.frames()]
    assert seqs == list(range(500))
    await asyncio.sleep(0.002)  # so that the last entry's millisecond is over
    last: Any = await redis.xadd("lane", {FIELD: encode_bundle([frame(500)])})
    reader.add("lane", last)
    await channel.keep(redis, "lane", reader, window_s=-1)
    assert await redis.xlen("lane") == 0
    assert 0 < await redis.ttl("lane") <= STREAM_TTL_S
    await channel.remove(redis, "lane")
    assert await redis.exists("lane") == 0


async def test_a_corrupt_entry_is_counted_and_left_out(redis: Redis, reader: Reader) -> None:
    """The frames around it arrive."""
    reader.add("lane", await channel.create(redis, "lane"))
    sender = Sender(redis)
    sender.send("lane", frame(1))
    await sender.flush()
    await redis.xadd("lane", {FIELD: b"garbage"})
    sender.send("lane", frame(2))
    await sender.flush()
    found = [got.seq for got in await reader.frames()]
    assert found == [1, 2]
    assert reader.corrupt == 1


async def test_a_reader_waits_for_nothing_in_vain(reader: Reader) -> None:
    """Without streams, and without entries, it returns empty after the time given."""
    assert await reader.read(block_ms=10) == []
    reader.add("lane", b"0-0")
    assert await reader.read(block_ms=10) == []
    reader.remove("lane")
    assert reader.streams == {}


async def test_a_stream_that_redis_lost_is_made_anew_and_read_on(redis: Redis, reader: Reader) -> None:
    """After a Redis that forgot, what is sent next arrives."""
    reader.add("lane", await channel.create(redis, "lane"))
    await redis.delete("lane")
    await channel.keep(redis, "lane", reader, window_s=10)
    sender = Sender(redis)
    sender.send("lane", frame(1))
    await sender.flush()
    assert [got.seq for got in await reader.frames()] == [1]


async def test_a_frame_out_of_bounds_holds_up_no_other(redis: Redis, reader: Reader) -> None:
    """It is given up; those around it, of other sessions too, arrive."""
    reader.add("lane", await channel.create(redis, "lane"))
    sender = Sender(redis)
    sender.send("lane", frame(1))
    sender.send("lane", Frame(session=SESSION, kind=Kind.EVENT, payload=bytes(MAX_PAYLOAD + 1)))
    sender.send("lane", frame(2))
    await sender.flush()
    assert [got.seq for got in await reader.frames()] == [1, 2]
    assert sender.dropped == 1


async def test_what_is_written_to_several_streams_in_one_go_is_read_in_one_go(redis: Redis, reader: Reader) -> None:
    """Redis wakes who waits by the first of them, when the others are not written yet."""
    streams = [f"lane-{number}" for number in range(4)]
    for stream in streams:
        reader.add(stream, await channel.create(redis, stream))
    for seq in range(20):
        reading = asyncio.create_task(reader.read(block_ms=5000))
        await asyncio.sleep(0.01)  # it waits by now; if not, it is only easier
        pipe = redis.pipeline(transaction=False)
        for stream in streams:
            pipe.xadd(stream, {FIELD: encode_bundle([frame(seq)])})
        await pipe.execute()
        found = await reading
        assert sorted(stream for stream, _ in found) == streams
        assert [entry.frames[0].seq for _, entries in found for entry in entries] == [seq] * 4


async def test_what_was_found_is_not_lost_if_the_second_look_fails(
    redis: Redis, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in ("lane-1", "lane-2"):
        reader.add(stream, await channel.create(redis, stream))
    await redis.xadd("lane-1", {FIELD: encode_bundle([frame(1)])})
    ask = reader._ask

    async def fail_at_once(line: Any, streams: list[str], block_ms: int | None, count: int) -> Any:
        if block_ms is None:
            raise RedisConnectionError("gone")
        return await ask(line, streams, block_ms, count)

    monkeypatch.setattr(reader, "_ask", fail_at_once)
    ((stream, (entry,)),) = await reader.read(block_ms=2000)
    assert (stream, entry.frames[0].seq) == ("lane-1", 1)

    monkeypatch.undo()
    await redis.xadd("lane-2", {FIELD: encode_bundle([frame(2)])})
    ((stream, (entry,)),) = await reader.read(block_ms=2000)
    assert (stream, entry.frames[0].seq) == ("lane-2", 2)

"""Erasures that run at once, fail, are many, or meet a Redis that may not forget what it noted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis
from redis_servers import PERSISTENT, RedisProcess
from task_harness import a_record, task_context

from control.context import TaskContext
from control.records import erasure as erasing
from control.records.cabinet import Cabinet
from control.records.erasure import Erasures
from control.records.erasure_requests import ErasureState
from control.records.keep import keep
from control.records.notes import NotesState, clear_all_notes, clear_notes, has_snapshot
from control.records.sweep import sweep
from voicebackend.session import SessionState
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
PEOPLE = ("ann", "ben", "cas")


class Office:
    """A deployment, and people whose sessions are over."""

    def __init__(self, shared: TaskContext, cabinet: Cabinet) -> None:
        self.shared, self.cabinet = shared, cabinet
        self.erasures = Erasures(shared.state, shared.keys, shared.store, cabinet)
        self.told = NotesState.CLEARED
        self.cleared = 0

    async def keep(self, number: int, person: str) -> str:
        """Keep something of a person; return the session."""
        ended = time.time() - 1
        record = a_record(number, user_id=person, state=SessionState.ENDED, created_at=ended - 1, ended_at=ended)
        record = await self.shared.store.create(replace(record, retention=self.cabinet.rules_for(record)))
        assert await keep(self.cabinet, self.shared.state, self.shared.keys, record, None)
        return record.id

    async def ask(self, person: str) -> str:
        """Ask for a person's erasure."""
        return (await self.erasures.ask("default", person, by="ops")).id

    async def go_on(self, erasures: Erasures | None = None) -> int:
        """Carry erasures on."""
        return await (erasures or self.erasures).go_on(notes=self.clear)

    async def clear(self) -> NotesState:
        """Be the servers of Redis."""
        self.cleared += 1
        return self.told

    async def sweep(self) -> int:
        """Delete what is due."""
        return await sweep(self.cabinet.index, self.cabinet.objects)

    async def state(self, id_: str) -> tuple[ErasureState, bool]:
        """Return where an erasure stands, and whether notes are cleared."""
        found = await self.erasures.get("default", id_)
        return found.state, found.notes_cleared


@pytest.fixture
async def office(deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a deployment that keeps transcripts for an hour."""
    path = tmp_path / "retention.yaml"
    settings: dict[str, Any] = {"store": f"file://{tmp_path}/records", "subject_key": "k" * 40}
    path.write_text(yaml.safe_dump({**settings, "policies": [{"id": "w", "class": "transcript", "ttl": "PT1H"}]}))
    async with task_context(replace(deployment, retention=path)) as shared:
        cabinet = await shared.cabinet()
        assert cabinet is not None
        yield Office(shared, cabinet)


async def test_a_step_that_comes_late_undoes_nothing(office: Office) -> None:
    """Its lease lapsed, and another finished the erasure meanwhile: it stays done, and open to nobody."""
    id_ = await office.ask("ann")
    slow = Erasures(office.shared.state, office.shared.keys, office.shared.store, office.cabinet, lease_s=0.001)
    reached, on = asyncio.Event(), asyncio.Event()

    async def late() -> NotesState:
        reached.set()
        await on.wait()
        return NotesState.LATER

    running = asyncio.create_task(slow.go_on(notes=late), name="slow")
    await reached.wait()
    assert await office.go_on() == 1
    on.set()
    assert await running == 0
    assert await office.state(id_) == (ErasureState.DONE, True)
    assert not await office.shared.state.exists(office.shared.keys.erasures_open())


async def test_one_process_at_a_time_carries_an_erasure_out(office: Office) -> None:
    """The others leave it alone."""
    id_ = await office.ask("ann")
    on = asyncio.Event()

    async def wait() -> NotesState:
        assert await office.go_on() == 0
        on.set()
        return NotesState.CLEARED

    assert await office.erasures.go_on(notes=wait) == 1
    assert on.is_set()
    assert office.cleared == 0
    assert await office.state(id_) == (ErasureState.DONE, True)


async def test_an_erasure_that_fails_holds_up_no_other(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with it; the log says which."""
    ids = sorted([await office.ask(person) for person in PEOPLE])
    keys = office.shared.keys
    await office.shared.state.set(keys.erasure(ids[0]), "{")
    assert await office.go_on() == 2
    assert [record.erasure for record in caplog.records if record.message == "erasure not carried on"] == [ids[0]]  # type: ignore[attr-defined]  # an extra
    assert await office.shared.state.smembers(keys.erasures_open()) == {ids[0].encode()}  # type: ignore[misc]  # the client's types


async def test_runs_that_are_too_short_for_all_take_turns(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next begins behind the one before."""
    monkeypatch.setattr(erasing, "FOR_S", 0.0)
    office.told = NotesState.LATER  # all stay open
    ids = sorted([await office.ask(person) for person in PEOPLE])
    taken: list[str] = []
    for _ in range(4):
        await office.go_on()
        turn: Any = await office.shared.state.get(office.shared.keys.erasures_turn())
        taken.append(turn.decode())
    assert taken == [*ids, ids[0]]


async def test_notes_are_cleared_again_when_a_hold_is_lifted(office: Office) -> None:
    """What it had kept was in them until then."""
    session = await office.keep(1, "ann")
    hold, _ = await office.cabinet.holds.place("default", f"session:{session}", reason="case", by="ops")
    id_ = await office.ask("ann")
    await office.go_on()
    assert (await office.state(id_), office.cleared) == ((ErasureState.PARTIAL, True), 1)
    await office.go_on()
    assert office.cleared == 1
    assert await office.cabinet.holds.lift("default", hold.id)
    await office.go_on()
    assert (await office.state(id_), office.cleared) == ((ErasureState.DELETING, False), 1)
    assert await office.sweep()
    await office.go_on()
    assert (await office.state(id_), office.cleared) == ((ErasureState.DONE, True), 2)


async def test_an_erasure_is_not_done_before_redis_could_be_told(office: Office) -> None:
    """It writes its file anew already, or is away: the next run asks again."""
    id_ = await office.ask("ann")
    office.told = NotesState.LATER
    assert await office.go_on() == 0
    assert await office.state(id_) == (ErasureState.DELETING, False)
    office.told = NotesState.CLEARED
    assert await office.go_on() == 1
    assert await office.state(id_) == (ErasureState.DONE, True)


async def test_an_erasure_says_where_redis_may_not_be_told(office: Office) -> None:
    """It is done as far as that can be; the rest is the operator's."""
    id_ = await office.ask("ann")
    office.told = NotesState.REFUSED
    assert await office.go_on() == 1
    assert await office.state(id_) == (ErasureState.DONE, False)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[RedisProcess]]:
    """Give a server for state, and one for broker and audio, that write everything down."""
    found = [RedisProcess(tmp_path / str(number), *PERSISTENT, "--slowlog-log-slower-than", "0") for number in (1, 2)]
    try:
        for server in found:
            server.start()
        yield found
    finally:
        for server in found:
            server.kill()


async def test_the_servers_of_all_roles_forget(servers: list[RedisProcess], tmp_path: Path) -> None:
    """Slow log and append-only file, whatever else the server is for."""
    for server in servers:
        with server.client() as client:
            client.set("said", "the canary sings")
            client.delete("said")
    state, other = servers
    deployment = Deployment(state_url=state.url, audio_url=other.url, broker_url=other.url)
    assert await clear_all_notes(deployment) is NotesState.CLEARED
    for number, server in enumerate(servers, 1):
        with server.client() as client:
            async with asyncio.timeout(60):
                while client.info("persistence")["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - Redis tells nobody
                    await asyncio.sleep(0.05)
            assert "canary" not in str(client.slowlog_get(128))
        assert b"canary" not in b"".join(
            file.read_bytes() for file in (tmp_path / str(number)).rglob("*") if "appendonly" in file.name
        )


@pytest.mark.parametrize("options", [PERSISTENT, ()], ids=["append-only file", "snapshots alone"])
async def test_a_server_that_has_a_snapshot_makes_another(tmp_path: Path, options: tuple[str, ...]) -> None:
    """What was deleted stands in the old one until then."""
    server, dump = RedisProcess(tmp_path, *options), tmp_path / "dump.rdb"
    redis = Redis(port=server.port)
    try:
        server.start()
        with server.client() as client:
            assert client.mset({"said": "the canary sings", "other": "stays"})
            client.bgsave()
        async with asyncio.timeout(60):
            while (await redis.info())["rdb_bgsave_in_progress"] or not dump.exists():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        assert b"canary" in dump.read_bytes()
        assert await redis.delete("said")
        assert await clear_notes([redis]) is NotesState.CLEARED
        async with asyncio.timeout(60):
            while b"canary" in dump.read_bytes():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        assert b"stays" in dump.read_bytes()
    finally:
        await redis.aclose()
        server.kill()


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"aof_enabled": 1, "rdb_last_bgsave_time_sec": 0}, True),
        ({"aof_enabled": 0, "rdb_last_bgsave_time_sec": -1}, False),
        ({"aof_enabled": 1, "rdb_last_bgsave_time_sec": 0, "rdb_saves": 0}, False),  # it went to a replica alone
        ({"aof_enabled": 1, "rdb_last_bgsave_time_sec": -1, "rdb_saves": 1}, True),
        ({"aof_enabled": 0, "rdb_last_bgsave_time_sec": -1, "rdb_saves": 0, "rdb_last_load_keys_loaded": 3}, True),
        ({"aof_enabled": 1, "rdb_last_bgsave_time_sec": -1, "rdb_saves": 0, "rdb_last_load_keys_loaded": 3}, False),
    ],
)
def test_a_server_tells_whether_it_has_a_snapshot(about: dict[str, int], expected: bool) -> None:
    """Redis 6 less than Redis 7; an append-only file that begins with one is none."""
    assert has_snapshot(about) is expected


async def test_a_server_without_a_snapshot_gets_none(servers: list[RedisProcess], tmp_path: Path) -> None:
    """It would keep what goes later."""
    server, redis = servers[0], Redis(port=servers[0].port)
    try:
        assert await redis.set("said", "the canary sings")
        server.kill()
        server.start()
        assert await clear_notes([redis]) is NotesState.CLEARED
        assert (await redis.info("persistence"))["rdb_last_bgsave_time_sec"] == -1
        assert not (tmp_path / "1" / "dump.rdb").exists()
    finally:
        await redis.aclose()


async def test_a_server_that_may_not_be_told_or_is_away_is_noticed(servers: list[RedisProcess]) -> None:
    """What is true of one of them is told of all."""
    first, second = servers
    with first.client() as client:
        client.acl_setuser("weak", enabled=True, nopass=True, keys=["*"], categories=["+@all", "-@dangerous"])
    weak = Redis(port=first.port, username="weak", password="x")
    good = Redis(port=second.port)
    try:
        assert await clear_notes([good]) is NotesState.CLEARED
        assert await clear_notes([weak]) is NotesState.REFUSED
        second.kill()
        assert await clear_notes([weak, good]) is NotesState.LATER
    finally:
        await weak.aclose()
        await good.aclose()

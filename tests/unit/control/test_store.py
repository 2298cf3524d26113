"""The session store: records move only as the transition table says, and nothing lives for ever."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

from control.sessions.store import SessionStore
from voicebackend.config import PipelineType
from voicebackend.errors import InvalidConfig, SessionAlreadyActive, SessionNotActive, SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import ENDED_TTL_S, SessionRecord, decode_log
from voicebackend.session import SESSION_TRANSITIONS, SessionState, Transport, is_over

KEYS = Keys()
S = SessionState


def a_record(number: int = 1, **changes: object) -> SessionRecord:
    """Return a record as the API writes it."""
    values = {
        "id": f"{number:032x}",
        "tenant": "acme",
        "user_id": "u1",
        "provider": "mock",
        "transport": Transport.WEBSOCKET,
        "pipeline_type": PipelineType.STT_TTS,
        "created_at": time.time(),
        "metadata": {"caller": "Ada"},
    }
    return SessionRecord(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    """Give a Redis of the test's own."""
    async with FakeAsyncRedis(version=(6, 2)) as client:
        yield client


@pytest.fixture
def store(redis: FakeAsyncRedis) -> SessionStore:
    """Give a store on it."""
    return SessionStore(redis, KEYS)


async def log_of(redis: FakeAsyncRedis, record: SessionRecord) -> list[dict[str, object]]:
    """Return a session's log."""
    entries: Any = await redis.xrange(KEYS.session_log(record.id))
    return [decode_log(fields) for _, fields in entries]


async def test_a_created_record_reads_back_as_it_was(store: SessionStore, redis: FakeAsyncRedis) -> None:
    """What was written is what is read, and every key of it expires."""
    record = a_record()
    await store.create(record)
    assert await store.get(record.id, "acme") == record
    assert await log_of(redis, record) == [{"type": "session", "state": "pending"}]
    assert all([await redis.ttl(key) > 0 for key in await redis.keys()])


async def test_an_id_is_taken_only_once(store: SessionStore) -> None:
    """A second record of the same id does not overwrite the first."""
    await store.create(a_record())
    with pytest.raises(SessionAlreadyActive):
        await store.create(a_record(user_id="intruder"))
    assert (await store.get(a_record().id)).user_id == "u1"


@pytest.mark.parametrize("session_id", ["f" * 32, "", "x" * 32, f"{1:032x}:log", "f" * 4096])
async def test_a_session_that_is_not_there_is_not_found(store: SessionStore, session_id: str) -> None:
    """Unknown and malformed ids look the same."""
    await store.create(a_record())
    with pytest.raises(SessionNotFound):
        await store.get(session_id)


async def test_a_foreign_session_looks_missing(store: SessionStore) -> None:
    """Another tenant cannot tell that the session exists."""
    await store.create(a_record())
    with pytest.raises(SessionNotFound):
        await store.get(a_record().id, "other")
    with pytest.raises(SessionNotFound):
        await store.set_metadata(a_record().id, "other", {})


@pytest.mark.parametrize(("start", "to"), list(product(S, S)))
async def test_a_record_moves_exactly_as_the_table_says(store: SessionStore, start: S, to: S) -> None:
    """Every pair of states: legal moves happen, staying is nothing, all else changes nothing."""
    before = a_record(state=start, lane=3, epoch=7)
    await store.create(before)
    if to == start:
        assert await store.move(before.id, to, reason="again") == before
    elif to in SESSION_TRANSITIONS[start]:
        after = await store.move(before.id, to, reason="why")
        assert (after.state, after.reason) == (to, "why")
        assert (after.ended_at > 0) == is_over(to)
    else:
        with pytest.raises(SessionNotActive) as caught:
            await store.move(before.id, to, reason="no", worker="w")
        assert caught.value.details == {"state": start.value}
        assert await store.get(before.id) == before


async def test_the_end_lets_record_and_log_expire_and_leaves_the_live_set(
    store: SessionStore, redis: FakeAsyncRedis
) -> None:
    """An ended session is kept for an hour and is no longer looked at."""
    record = a_record(state=S.ACTIVE, lane=1)
    await store.create(record)
    await store.move(record.id, S.ENDED, reason="closed")
    assert 0 < await redis.ttl(KEYS.session(record.id)) <= ENDED_TTL_S
    assert 0 < await redis.ttl(KEYS.session_log(record.id)) <= ENDED_TTL_S
    assert await redis.zrange(KEYS.live_sessions(), 0, -1) == []


async def test_only_a_session_without_a_lane_gets_its_end_logged_here(
    store: SessionStore, redis: FakeAsyncRedis
) -> None:
    """The log of a placed session belongs to the lane's holder."""
    unplaced, placed = a_record(1), a_record(2, state=S.READY, lane=0)
    for record in (unplaced, placed):
        await store.create(record)
        await store.move(record.id, S.FAILED, reason="session_limit_exceeded")
    assert (await log_of(redis, unplaced))[1:] == [
        {"type": "session", "state": "failed", "reason": "session_limit_exceeded"},
        {"type": "ended", "reason": "session_limit_exceeded"},
    ]
    assert len(await log_of(redis, placed)) == 1


async def test_a_report_under_an_older_lease_is_ignored(store: SessionStore) -> None:
    """A worker that lost the lane cannot move its sessions; the new holder can."""
    record = a_record(state=S.STARTING, lane=1, epoch=10)
    await store.create(record)
    assert await store.move(record.id, S.FAILED, fence=9) == record
    assert (await store.move(record.id, S.READY, fence=10)).state is S.READY


async def test_a_change_of_an_unknown_field_is_a_mistake(store: SessionStore) -> None:
    """A misspelt field is caught before anything is written."""
    await store.create(a_record())
    with pytest.raises(TypeError, match="lain"):
        await store.move(a_record().id, S.STARTING, lain=3)
    assert (await store.get(a_record().id)).state is S.PENDING


async def test_metadata_and_agent_change_while_the_session_runs_only(store: SessionStore) -> None:
    """What is over stays as it was."""
    record = a_record()
    await store.create(record)
    assert (await store.set_metadata(record.id, "acme", {"plan": "gold"})).metadata == {"plan": "gold"}
    assert (await store.set_agent(record.id, "acme", "sales")).agent == "sales"
    await store.move(record.id, S.ENDED)
    with pytest.raises(SessionNotActive):
        await store.set_agent(record.id, "acme", "other")
    assert (await store.get(record.id)).agent == "sales"


async def test_pages_cover_a_tenants_sessions_newest_first(store: SessionStore) -> None:
    """Page after page, every session once, even those created at the same instant."""
    for number in range(1, 8):
        await store.create(a_record(number, created_at=100.0 + number // 2))
    await store.create(a_record(99, tenant="other"))
    seen: list[SessionRecord] = []
    cursor = ""
    for _ in range(4):
        page = await store.page("acme", limit=3, cursor=cursor)
        seen += page.sessions
        if not (cursor := page.cursor):
            break
    assert sorted(record.id for record in seen) == [f"{number:032x}" for number in range(1, 8)]
    assert [record.created_at for record in seen] == sorted((r.created_at for r in seen), reverse=True)


async def test_a_page_forgets_sessions_whose_record_is_gone(store: SessionStore, redis: FakeAsyncRedis) -> None:
    """Expired records leave the list."""
    for number in range(1, 6):
        await store.create(a_record(number, created_at=float(number + 100)))
    await redis.delete(KEYS.session(f"{5:032x}"), KEYS.session(f"{4:032x}"))
    page = await store.page("acme", limit=2)
    assert [record.id for record in page.sessions] == [f"{3:032x}", f"{2:032x}"]
    assert await redis.zcard(KEYS.sessions("acme")) == 3


async def test_many_expired_sessions_in_a_row_do_not_end_the_list(store: SessionStore, redis: FakeAsyncRedis) -> None:
    """A walk over all pages finds what comes after them."""
    await store.create(a_record(1, created_at=1.0))
    await redis.zadd(KEYS.sessions("acme"), {f"{number:032x}": float(number) for number in range(2, 30)})
    assert [record.id for record in (await store.page("acme", limit=1)).sessions] == [f"{1:032x}"]
    await store.create(a_record(99, created_at=99.0))
    await redis.zadd(KEYS.sessions("acme"), {f"{number:032x}": float(number) for number in range(2, 60)})
    page = await store.page("acme", limit=2)
    assert page.cursor or len(page.sessions) == 2


async def test_a_cursor_that_is_gone_is_refused(store: SessionStore) -> None:
    """A cursor of nothing does not silently start from the top."""
    with pytest.raises(InvalidConfig):
        await store.page("acme", cursor="nonsense")


async def test_live_sessions_fall_due_until_renewed_or_over(store: SessionStore, redis: FakeAsyncRedis) -> None:
    """The reconciler sees a session at its look-at time, and again when it asked to."""
    record = a_record()
    await store.create(record)
    now = time.time()
    assert await store.due(now) == []
    assert await store.due(now + 11) == [record.id]
    assert await store.renew(record.id, look_at=now + 60)
    assert await store.due(now + 11) == []
    await redis.delete(KEYS.session(record.id))
    assert not await store.renew(record.id, look_at=now + 60)
    assert await store.due(now + 999) == []


async def test_appending_never_creates_a_log(store: SessionStore, redis: FakeAsyncRedis) -> None:
    """What is written to a session that is gone leaves nothing behind."""
    await store.append_log("f" * 32, {"type": "ended", "reason": "closed"})
    assert await redis.keys() == []

"""An erasure reaches what agents' memory has of the person, or says what is to be done by hand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from record_office import USER, Office, office, snapshot_written
from redis.asyncio import Redis
from task_harness import say, task_context

from control.records.data_class import DataClass
from control.records.erasure import Erasures
from control.records.memories import KEEP_S, Memories
from control.records.names import names_of
from control.sessions.store import SessionStore
from control.tasks import remembering
from control.tasks.remembering import _remember
from voicebackend.errors import ConnectionFailed
from voicebackend.record import SessionRecord
from voicebackend.settings import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
KEY, NUMBER = f"default:{USER}", "+12025550111"


class History:
    """What an application remembers under one key; LangChain's own is deprecated there."""

    def __init__(self) -> None:
        self.messages: list[BaseMessage] = []

    async def aget_messages(self) -> list[BaseMessage]:
        return list(self.messages)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        self.messages += messages

    async def aclear(self) -> None:
        self.messages.clear()


class Histories:
    """An application's memory: a history for each key."""

    def __init__(self) -> None:
        self.of: dict[str, History] = {}

    def __call__(self, key: str) -> History:
        return self.of.setdefault(key, History())

    def full(self) -> list[str]:
        """Return the keys of which something is known."""
        return sorted(key for key, history in self.of.items() if history.messages)


class Deaf(History):
    """One that cannot forget."""

    async def aclear(self) -> None:
        raise NotImplementedError


@pytest.fixture
async def here(redis: Redis, deployment: Deployment, tmp_path: Path) -> AsyncIterator[Office]:
    """Give a control process that keeps records."""
    async with office(redis, deployment, tmp_path) as found:
        yield found


def erasures(here: Office, redis: Redis) -> Erasures:
    """Return what carries requests out."""
    return Erasures(redis, here.deployment.keys, SessionStore(redis, here.deployment.keys), here.cabinet)


async def erased(here: Office, redis: Redis, histories: Any, subject: str = USER) -> dict[str, Any]:
    """Ask for an erasure, take one step, and return how it stands."""
    asked = await here.ask("POST", "/v1/erasures", json={"subject": subject})
    return await stepped(here, redis, histories, asked["id"])


async def stepped(here: Office, redis: Redis, histories: Any, id_: str) -> dict[str, Any]:
    """Take one step of all erasures, and return how one stands."""
    await snapshot_written(redis)
    async with task_context(here.deployment, memory=histories) as shared:
        await erasures(here, redis).go_on(memory=lambda: shared.parts.find("memory"))
    found: dict[str, Any] = await here.ask("GET", f"/v1/erasures/{id_}")
    return found


async def remembered(here: Office, histories: Any, **changes: Any) -> SessionRecord:
    """Hold a conversation and have it remembered."""
    rules = {"retention": here.cabinet.rules_for(here.finished())}
    record = here.finished(**{**rules, "created_at": time.time() - 30, **changes})
    async with task_context(here.deployment, memory=histories) as shared:
        await shared.store.create(record)
        await say(shared, record.id, 1, "I am Ada")
        await _remember(shared, record.id)
    return record


@pytest.mark.parametrize("subject", [USER, NUMBER])
async def test_an_erasure_has_memory_forget_the_person(here: Office, redis: Redis, subject: str) -> None:
    """By user id, or by the number of a call of theirs; nobody else is forgotten, and Redis names nobody."""
    histories = Histories()
    await remembered(here, histories, metadata={"said": {"caller": NUMBER}})
    await remembered(here, histories, user="bob")
    alone = await remembered(here, histories, memory_config={"scope": "session"}, metadata={"to": NUMBER})
    assert histories.full() == sorted([KEY, "default:bob", alone.id])
    done = await erased(here, redis, histories, subject)
    assert (done["state"], done["memory"]["state"]) == ("done", "forgotten")
    assert histories.full() == ["default:bob"]
    named = [key async for key in redis.scan_iter(match="*remembered:about*")]
    assert [await redis.hkeys(key) for key in named] == [[b"default:bob"]]  # type: ignore[misc]
    assert [key async for key in redis.scan_iter(match="*:memories")] == []


async def test_what_was_remembered_before_there_were_notes_is_forgotten_too(here: Office, redis: Redis) -> None:
    """By the name that is asked for."""
    histories = Histories()
    histories(KEY).messages.append(HumanMessage("I am Ada"))
    assert (await erased(here, redis, histories))["memory"]["state"] == "forgotten"
    assert histories.full() == []


async def test_a_memory_that_cannot_forget_is_told(here: Office, redis: Redis) -> None:
    """The erasure ends all the same, and says what is to be done, under which keys, for a month."""
    histories = Histories()
    histories.of[KEY] = Deaf()
    await remembered(here, histories)
    done = await erased(here, redis, histories)
    assert (done["state"], done["memory"]["state"], done["memory"]["keys"]) == ("done", "not_reached", [KEY])
    assert "delete" in done["memory"]["ask"]
    assert KEEP_S - 60 < await redis.ttl(here.deployment.keys.erasure_memories(done["id"])) <= KEEP_S


async def test_a_memory_that_is_configured_no_more_is_told(here: Office, redis: Redis) -> None:
    """What was once remembered is somewhere; where nothing ever was, there is nothing to tell."""
    await remembered(here, Histories())
    assert (await erased(here, redis, None))["memory"]["state"] == "not_reached"
    nobody = await erased(here, redis, None, "nobody")
    assert (nobody["state"], nobody["memory"]) == ("done", {"state": "none", "keys": [], "ask": ""})


async def test_a_memory_that_fails_is_asked_again(here: Office, redis: Redis) -> None:
    """The erasure is not done before."""
    broken = await erased(here, redis, lambda _: 1 / 0)
    assert (broken["state"], broken["memory"]["state"]) == ("deleting", "waiting")
    done = await stepped(here, redis, Histories(), broken["id"])
    assert (done["state"], done["memory"]["state"]) == ("done", "forgotten")


async def test_a_hold_keeps_memory_until_it_is_lifted(here: Office, redis: Redis) -> None:
    """What later sessions leave meanwhile is theirs: only a key that is forgotten takes all with it."""
    histories = Histories()
    await remembered(here, histories)
    hold = await here.ask("POST", "/v1/holds", json={"subject": USER, "reason": "case 12"})
    held = await erased(here, redis, histories)
    assert (held["state"], held["memory"]["state"], histories.full()) == ("partial", "held", [KEY])
    await here.ask("DELETE", f"/v1/holds/{hold['id']}")
    done = await stepped(here, redis, histories, held["id"])
    assert (done["state"], done["memory"]["state"], histories.full()) == ("done", "forgotten", [])


async def test_a_session_of_somebody_erased_is_not_remembered(here: Office, redis: Redis) -> None:
    """Though its end was before, and its policies allow it; a session that began later is."""
    histories = Histories()
    await here.ask("POST", "/v1/erasures", json={"subject": USER})
    await remembered(here, histories)
    assert histories.full() == []
    await remembered(here, histories, created_at=time.time() + 1)
    assert histories.full() == [KEY]


async def test_an_erasure_that_comes_while_a_session_is_remembered_counts(here: Office, redis: Redis) -> None:
    """What was written in that moment is forgotten again."""
    histories = Histories()

    class Slow(History):
        async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
            await here.ask("POST", "/v1/erasures", json={"subject": USER})
            await super().aadd_messages(messages)

    histories.of[KEY] = Slow()
    await remembered(here, histories)
    assert histories.full() == []


class Killed(BaseException):
    """As if the process had been."""


async def test_what_a_killed_task_put_into_memory_is_forgotten(here: Office, redis: Redis) -> None:
    """An erasure that came meanwhile waits until nobody can be at it, and the task does no more when it runs again."""
    histories = Histories()

    class Dies(History):
        async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
            asked.update(await erased(here, redis, histories))
            await super().aadd_messages(messages)
            raise Killed

    asked: dict[str, Any] = {}
    histories.of[KEY] = Dies()
    with pytest.raises(Killed):
        await remembered(here, histories)
    assert (asked["state"], asked["memory"]["state"], histories.full()) == ("deleting", "waiting", [KEY])
    (mark,) = [key async for key in redis.scan_iter(match="*remembering:*")]
    assert 0 < await redis.ttl(mark) <= 60
    assert await redis.delete(mark)  # as that time does
    done = await stepped(here, redis, histories, asked["id"])
    assert (done["state"], done["memory"]["state"], histories.full()) == ("done", "forgotten", [])


async def test_what_is_left_in_memory_of_somebody_erased_goes_when_the_task_runs_again(
    here: Office, redis: Redis
) -> None:
    """Whoever did it first died before it looked whether somebody was erased."""
    histories = Histories()
    record = await remembered(here, histories)
    assert histories.full() == [KEY]
    await here.ask("POST", "/v1/erasures", json={"subject": USER})
    async with task_context(here.deployment, memory=histories) as shared:
        await _remember(shared, record.id)
    assert histories.full() == []


async def test_a_check_that_fails_has_the_task_done_again(
    here: Office, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether somebody was erased meanwhile must be known before it is over."""

    async def fails(*_: Any) -> bool:
        raise ConnectionFailed("redis")

    monkeypatch.setattr(remembering, "_still", fails)
    with pytest.raises(ConnectionFailed):
        await remembered(here, Histories())


async def test_notes_are_of_who_is_remembered_only(here: Office, redis: Redis) -> None:
    """A session of which nothing may be kept leaves none."""
    record, keys = here.finished(), here.deployment.keys
    subjects = here.cabinet.subjects.all("default", names_of(record))
    await remembered(here, Histories(), retention={DataClass.TRANSCRIPT: ["p", 0.0, "full"]})
    assert await redis.exists(*(keys.remembered_about("default", subject) for subject in subjects)) == 0
    memories = Memories(redis, keys)
    await memories.note("default", subjects, KEY)
    await memories.forgotten("default", KEY)
    assert [key async for key in redis.scan_iter(match="*remembered*")] == []

"""What was said in a session goes into the configured memory once it is over, and what is old is summed up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage
from langchain_core.stores import InMemoryStore
from task_harness import a_placed_record, placed, published, say, task_context

from control.context import TaskContext
from control.sessions.consents import Consents
from control.tasks.ending import end_session
from control.tasks.remembering import _may_be_kept, _remember
from voicebackend.consent import ConsentWord
from voicebackend.frameworks.memory import MemoryPart, StoredHistory
from voicebackend.session import SessionState
from voicebackend.settings import Deployment


class Forget:
    """A retention hook that lets nothing be kept."""

    async def should_retain(self, data_class: str, metadata: Any) -> bool:
        return False

    async def retention_period(self, data_class: str) -> Any:
        raise AssertionError(data_class)


async def held(shared: TaskContext, **changes: Any) -> str:
    """Hold a conversation to its end; return the session's id."""
    record = await placed(shared, **changes)
    await say(shared, record.id, 0, "Hello.", role="agent")
    await say(shared, record.id, 1, "I am Ada")
    await say(shared, record.id, 1, "Good mor", role="agent", interrupted=True)
    await end_session(shared, record.id, SessionState.ENDED, "hangup")
    return record.id


async def test_what_was_heard_is_remembered_and_retention_follows(deployment: Deployment) -> None:
    """The end publishes the task, and the task what else follows an end; a second delivery adds nothing."""
    store = InMemoryStore()
    async with task_context(deployment, memory=store) as shared:
        session = await held(shared)
        assert published(shared) == [("agents.remember", {"session_id": session})]
        for _ in range(2):
            await _remember(shared, session)
        assert published(shared)[1:] == [("retention.apply", {"session_id": session})] * 2
    said = await MemoryPart(store).read("default:ada", 10)
    assert [(entry["role"], entry["text"]) for entry in said] == [
        ("agent", "Hello."),
        ("user", "I am Ada"),
        ("agent", "Good mor"),
    ]


async def test_callers_who_withhold_their_number_are_not_remembered_as_one(deployment: Deployment) -> None:
    """What one of them said is known by the session, and nobody who calls later is told it."""
    store = InMemoryStore()
    async with task_context(deployment, memory=store) as shared:
        users = enumerate(("anonymous", "anonymous", ""), 1)
        sessions = [await held(shared, number=number, user_id=user) for number, user in users]
        for session in sessions:
            await _remember(shared, session)
    assert [len(await MemoryPart(store).read(session, 10)) for session in sessions] == [3, 3, 3]
    assert await MemoryPart(store).read("default:anonymous", 10) == []
    assert await MemoryPart(store).read("default:", 10) == []


async def test_what_is_old_is_summed_up_by_the_chat_model(deployment: Deployment) -> None:
    """The latest messages stay as they were said."""
    store, model = InMemoryStore(), FakeListChatModel(responses=["Ada called."])
    async with task_context(deployment, memory=store, chat_model=model) as shared:
        session = await held(shared, memory_config={"summarise": True, "max_messages": 1})
        await _remember(shared, session)
    said = await MemoryPart(store).read("default:ada", 10)
    assert [(entry["role"], entry["text"]) for entry in said] == [("system", "Ada called."), ("agent", "Good mor")]


async def test_what_may_not_be_kept_is_not_remembered(deployment: Deployment) -> None:
    """The retention hook decides it for memory too."""
    store = InMemoryStore()
    async with task_context(deployment, memory=store, data_retention_hook=Forget()) as shared:
        session = await held(shared)
        await _remember(shared, session)
        assert published(shared)[-1] == ("retention.apply", {"session_id": session})
    assert list(store.yield_keys()) == []


@pytest.mark.parametrize(
    ("given", "at", "kept"), [(True, 0.0, True), (True, 60.0, False), (False, 0.0, False)], ids=["asked", "late", "no"]
)
async def test_consent_is_for_memory_too(deployment: Deployment, given: bool, at: float, kept: bool) -> None:
    """Where it came later, or was withdrawn, nothing is remembered."""
    store, now = InMemoryStore(), time.time()
    consent = ({"classes": ["transcript"], "given": given, "at": now + at},)
    async with task_context(deployment, memory=store) as shared:
        record = a_placed_record(consent=consent, created_at=now, retention={"transcript": ["p", 60.0, "consent"]})
        assert await _may_be_kept(shared, record) is kept


@pytest.mark.parametrize("scope", ["user", "session"])
async def test_a_session_may_keep_its_memory_to_itself(deployment: Deployment, scope: str) -> None:
    """By the key of what is remembered."""
    store = InMemoryStore()
    async with task_context(deployment, memory=store) as shared:
        session = await held(shared, memory_config={"scope": scope})
        await _remember(shared, session)
    assert list(store.yield_keys()) == ["default:ada" if scope == "user" else session]


async def withdraw(shared: TaskContext, session: str) -> None:
    """Take consent to what was said back, as the API does."""
    consents = Consents(shared.state, shared.keys, shared.publisher, keeps=False, remembers=True)
    await consents.say(session, ConsentWord(given=False, classes=("transcript",)), by="key-1")


async def test_what_consent_is_withdrawn_to_is_forgotten(deployment: Deployment) -> None:
    """After the end too: what that session left goes, with a summary, and what others left stays."""
    store = InMemoryStore()
    async with task_context(deployment, memory=store) as shared:
        for number in (1, 2):
            await _remember(shared, await held(shared, number=number))
        await withdraw(shared, f"{1:032x}")
        assert published(shared)[-1] == ("agents.remember", {"session_id": f"{1:032x}"})
        await _remember(shared, f"{1:032x}")
        assert published(shared)[-1] == ("retention.apply", {"session_id": f"{1:032x}"})
    [messages] = await store.amget(["default:ada"])
    assert {message["data"]["id"].partition(":")[0] for message in messages or ()} == {f"{2:032x}"}


async def test_consent_that_is_withdrawn_while_it_is_remembered_counts(deployment: Deployment) -> None:
    """What was written in that moment is forgotten again."""
    store = InMemoryStore()

    class Slow(StoredHistory):
        def __init__(self, key: str) -> None:
            super().__init__(store, key)

        async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
            await withdraw(shared, session)
            await super().aadd_messages(messages)

    async with task_context(deployment, memory=Slow) as shared:
        session = await held(shared)
        await _remember(shared, session)
    assert list(store.yield_keys()) == []


async def test_a_withdrawal_that_memory_fails_is_tried_again(deployment: Deployment) -> None:
    """The task fails, so that Celery repeats it; what else follows goes on."""
    async with task_context(deployment, memory=lambda key: 1 / 0) as shared:
        session = await held(shared)
        await withdraw(shared, session)
        with pytest.raises(ZeroDivisionError):
            await _remember(shared, session)
        assert published(shared)[-1] == ("retention.apply", {"session_id": session})


async def test_a_history_without_a_way_to_forget_says_so() -> None:
    """Whatever it is that has no method for it."""

    class Deaf:
        async def aget_messages(self) -> list[Any]:
            return []

    class Refuses(Deaf):
        async def aclear(self) -> None:
            raise NotImplementedError

    assert not await MemoryPart(cast("Any", lambda _: Deaf())).forget("k")
    assert not await MemoryPart(cast("Any", lambda _: Refuses())).forget("k", "s")


async def test_a_memory_that_fails_holds_nothing_up(deployment: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged without words, and retention follows."""

    def fails(key: str) -> Any:
        raise RuntimeError("a secret of ours")

    async with task_context(deployment, memory=fails) as shared:
        session = await held(shared)
        await _remember(shared, session)
        assert published(shared)[-1] == ("retention.apply", {"session_id": session})
    assert "session not remembered" in caplog.text
    assert "a secret of ours" not in caplog.text

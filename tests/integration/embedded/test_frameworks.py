"""Agents of frameworks in real sessions: spoken while they are made, stopped by the caller, with what is configured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from embedded_harness import CONFIG, HEARD, LOUD, answer_of, wanted
from framework_fakes import ENDPOINTS, FAKES, FIRST, REST, Script, fake_agent, langchain_model
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.stores import InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore

from voicebackend import VoiceBackend, VoiceSession
from voicebackend.errors import InvalidConfig, SessionLimitExceeded
from voicebackend.events import Transcript
from voicebackend.frameworks.memory import MemoryPart
from voicebackend.frameworks.orchestrator import SessionEvent

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.own_redis("the embedded library starts its own"),
]
KINDS = (*FAKES, *ENDPOINTS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give one embedded backend to all these conversations."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend


@asynccontextmanager
async def conversation(backend: VoiceBackend, **fields: Any) -> AsyncIterator[VoiceSession]:
    """Give a session; a machine so busy that its worker takes none is waited for."""
    async with asyncio.timeout(60):
        while True:
            try:
                session = await backend.create_session(wanted(**fields))
                break
            except SessionLimitExceeded:
                await asyncio.sleep(0.5)
        async with session:
            yield session


async def begin(session: VoiceSession) -> None:
    """Speak, and return once the agent is heard."""
    await session.process_audio(LOUD)
    async for audio in session.agent_audio():
        assert audio
        break


@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_words_are_heard_before_the_last_are_made(backend: VoiceBackend, kind: str) -> None:
    """There is audio while the model still waits, and then all of the answer."""
    script = Script()
    async with fake_agent(kind, script) as agent, conversation(backend, agent=agent) as session:
        await begin(session)
        assert not script.go_on.is_set()
        script.go_on.set()
        async for event in session.events():
            if isinstance(event, Transcript) and event.role == "agent" and event.final:
                assert event.text == FIRST + REST
                break


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_who_interrupts_stops_the_model(backend: VoiceBackend, kind: str) -> None:
    """The framework's stream is closed before it had finished."""
    script = Script()
    async with fake_agent(kind, script) as agent, conversation(backend, agent=agent) as session:
        await begin(session)
        talking = asyncio.create_task(_talk(session), name="talk")
        await script.closed.wait()
        assert not script.go_on.is_set()
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


async def _talk(session: VoiceSession) -> None:
    """Speak in real time until cancelled."""
    while True:
        await session.process_audio(LOUD)
        await asyncio.sleep(0.02)


async def test_what_a_deployment_does_not_have_cannot_be_configured_for_a_session(backend: VoiceBackend) -> None:
    """To take it would be to ignore it."""
    for field, value in {"memory_config": {"scope": "user"}, "rag_config": {"k": 1}}.items():
        with pytest.raises(InvalidConfig, match=f"{field}: not supported here"):
            async with conversation(backend, agent_callback=str, **{field: value}):
                pass


class Workflows:
    """An orchestrator of this process."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.over = asyncio.Event()

    async def on_session_started(self, event: SessionEvent) -> None:
        self.told.append(event.name)

    async def on_turn(self, event: SessionEvent) -> None:
        self.told.append(f"turn {event.turn}")

    async def on_session_ended(self, event: SessionEvent) -> None:
        self.told.append(event.name)
        self.over.set()


async def test_models_memory_and_retrieval_may_be_objects_of_this_process() -> None:
    """A session without an agent is answered by the chat model, told what the prompt makes of all of it.

    When it is over, its words are in the memory, and the orchestrator was told of all of it.
    """
    script, memory, workflows = Script(), InMemoryStore(), Workflows()
    script.go_on.set()
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    await store.aadd_documents([Document("We are open until nine.")])
    prompt = ChatPromptTemplate.from_messages([("system", "{metadata_name} knows: {context}")])
    config = CONFIG.with_chat_model(langchain_model(script)).with_memory(memory).with_orchestrator(workflows)
    config = config.with_vector_store(store).with_embedder(DeterministicFakeEmbedding(size=8))
    async with (
        VoiceBackend(config.with_prompt_template(prompt)) as backend,
        asyncio.timeout(90),
    ):
        async with conversation(backend, metadata={"name": "Bea"}, rag_config={"k": 1}) as session:
            assert session.view.agent == "config:chat_model"
            assert await answer_of(session) == FIRST + REST
        await backend.update_config(backend.config.with_max_retries(5))  # the same objects are no change
        await workflows.over.wait()
        while not list(memory.yield_keys()):  # noqa: ASYNC110 - written by another process's call
            await asyncio.sleep(0.05)
    assert sorted(workflows.told) == ["session_ended", "session_started", "turn 1"]
    said = await MemoryPart(memory).read("default:u", 10)
    assert [entry["text"] for entry in said] == [HEARD, FIRST + REST]
    assert script.told == [("system", "Bea knows: We are open until nine."), ("user", HEARD)]

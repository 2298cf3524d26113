"""What the configuration adds to a turn: memory, what is known of the question, the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.stores import InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import Field
from task_harness import a_placed_record

from control.agents import briefing
from control.agents.briefing import briefed
from control.live_config import LiveConfig
from control.part_table import PartTable
from voicebackend.agents import HistoryEntry, Message, Turn
from voicebackend.config import BackendConfig
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.frameworks.memory import MAX_BYTES, MemoryPart

TURN = Turn(
    session_id="s",
    number=2,
    transcript="Until when?",
    history=(HistoryEntry(role="user", text="Are you open?", turn=1), HistoryEntry(role="agent", text="Yes.", turn=1)),
    user_id="ada",
    metadata={"shop": "Baker Street"},
)
DOCUMENTS = [
    Document("Open until nine.", metadata={"shop": "a"}),
    Document("Bread is baked at five.", metadata={"shop": "b"}),
]


class Current:
    """Stands for the configuration that holds now."""

    def __init__(self, **fields: Any) -> None:
        self.current = BackendConfig(provider="mock", **fields)


def parts(**fields: Any) -> PartTable:
    """Return the parts of a configuration."""
    return PartTable(cast("LiveConfig", Current(**fields)))


class History(BaseChatMessageHistory):
    """What is remembered of one caller."""

    def __init__(self) -> None:
        self.messages: list[BaseMessage] = []

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        self.messages.extend(messages)

    def clear(self) -> None:
        self.messages.clear()


class Found(BaseRetriever):
    """Finds the documents, and keeps what was asked."""

    asked: list[str] = Field(default_factory=list)

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        self.asked.append(query)
        return DOCUMENTS


class Broken(BaseRetriever):
    """Finds nothing."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        raise RuntimeError(query)


class Slow(BaseRetriever):
    """Never answers."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        raise NotImplementedError

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        await asyncio.Event().wait()
        raise AssertionError(query)


async def test_a_turn_stays_as_it_is_where_nothing_is_configured() -> None:
    """Nothing is looked up."""
    assert await briefed(parts(), a_placed_record(), TURN) is not None
    assert (await briefed(parts(), a_placed_record(), TURN)) == TURN


async def test_what_a_retriever_finds_is_the_turn_s_context() -> None:
    """As much of it as the session wants; the question is what the caller said."""
    retriever = Found()
    turn = await briefed(parts(retriever=retriever), a_placed_record(rag_config={"k": 1}), TURN)
    assert turn.context == ("Open until nine.",)
    assert retriever.asked == ["Until when?"]
    without = await briefed(parts(retriever=retriever), a_placed_record(rag_config={"enabled": False}), TURN)
    assert without.context == ()


@pytest.mark.parametrize("embedder", [None, DeterministicFakeEmbedding(size=8)])
async def test_a_vector_store_is_searched_with_the_session_s_filter(embedder: Any) -> None:
    """By words, or by the vector that the configured embedder makes of them."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    await store.aadd_documents(DOCUMENTS)
    everything = await briefed(parts(vector_store=store, embedder=embedder), a_placed_record(), TURN)
    assert set(everything.context) == {"Open until nine.", "Bread is baked at five."}
    asked: list[Any] = []
    wanted = _Filtered(store, asked)
    record = a_placed_record(rag_config={"k": 1, "filter": {"shop": "a"}})
    await briefed(parts(vector_store=wanted, embedder=embedder), record, TURN)
    assert asked == [(1, {"shop": "a"})]


class _Filtered:
    """Keeps how a vector store was searched."""

    def __init__(self, store: InMemoryVectorStore, asked: list[Any]) -> None:
        self._store, self._asked = store, asked

    async def asimilarity_search(self, query: str, k: int, filter: Any = None) -> list[Document]:  # noqa: A002
        self._asked.append((k, filter))
        return await self._store.asimilarity_search(query, k)

    async def asimilarity_search_by_vector(self, vector: list[float], k: int, filter: Any = None) -> list[Document]:  # noqa: A002
        self._asked.append((k, filter))
        return await self._store.asimilarity_search_by_vector(vector, k)


@pytest.mark.parametrize("retriever", [Broken(), Slow()], ids=["broken", "slow"])
async def test_a_retriever_that_fails_or_hangs_is_done_without(
    retriever: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is answered; the log has no words of theirs."""
    monkeypatch.setattr(briefing, "LOOK_UP_S", 0.2)
    turn = await briefed(parts(retriever=retriever), a_placed_record(), TURN)
    assert turn.context == ()
    assert "agent turn without retrieval" in caplog.text
    assert "Until when" not in caplog.text


async def test_earlier_conversations_come_before_this_one() -> None:
    """Of this caller only, the latest of them, the summary first."""
    stores: dict[str, History] = {}
    memory = MemoryPart(lambda key: stores.setdefault(key, History()))
    said = [{"role": "user", "text": "I am Ada."}, {"role": "agent", "text": "Hello Ada."}]
    await memory.add("default:ada", "earlier", said)
    await memory.add("default:bob", "other", [{"role": "user", "text": "I am Bob."}])
    given = parts(memory=lambda key: stores[key])
    turn = await briefed(given, a_placed_record(memory_config={"max_messages": 1}), TURN)
    assert turn.messages == (
        Message(role="agent", text="Hello Ada."),
        Message(role="user", text="Are you open?"),
        Message(role="agent", text="Yes."),
        Message(role="user", text="Until when?"),
    )
    await memory.condense("default:ada", 1, "Ada likes bread.")
    turn = await briefed(given, a_placed_record(), TURN)
    told = "Of earlier conversations with this caller: Ada likes bread."
    assert turn.messages[0] == Message(role="system", text=told)
    assert turn.messages[1].text == "Hello Ada."


@pytest.mark.parametrize("kind", [History, InMemoryStore])
async def test_a_session_is_remembered_once(kind: Any) -> None:
    """A task that is delivered twice adds nothing; nor does one after a summary was made."""
    kept = kind()
    memory = MemoryPart((lambda key: kept) if kind is History else kept)
    said = [{"role": "user", "text": str(number)} for number in range(6)]
    for _ in range(2):
        await memory.add("k", "s1", said)
    assert [entry["text"] for entry in await memory.read("k", 10)] == list("012345")
    assert [entry["text"] for entry in await memory.older("k", 2)] == list("0123")
    await memory.condense("k", 2, "0 to 3")
    await memory.add("k", "s1", said)
    assert [entry["text"] for entry in await memory.read("k", 10)] == ["0 to 3", "4", "5"]
    assert await memory.older("k", 2) == []


async def test_what_is_remembered_is_never_too_much_to_travel() -> None:
    """The oldest is left out."""
    store = History()
    memory = MemoryPart(lambda key: store)
    await memory.add("k", "s", [{"role": "user", "text": f"{number} " + "x" * 1000} for number in range(100)])
    found = await memory.read("k", 100)
    assert 0 < len(str(found)) <= MAX_BYTES + 1000
    assert found[-1]["text"].startswith("99 ")


async def test_a_prompt_template_decides_what_a_model_is_told() -> None:
    """With what was found, what was said, whose session it is, and its metadata."""
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "You are {metadata_shop}. Known: {context}"),
            MessagesPlaceholder("history"),
            ("user", "{user_id} asks: {input}"),
        ]
    )
    turn = await briefed(parts(prompt_template=prompt, retriever=Found()), a_placed_record(rag_config={"k": 1}), TURN)
    assert turn.messages == (
        Message(role="system", text="You are Baker Street. Known: Open until nine."),
        Message(role="user", text="Are you open?"),
        Message(role="agent", text="Yes."),
        Message(role="user", text="ada asks: Until when?"),
    )


@pytest.mark.parametrize(
    "prompt",
    [
        ChatPromptTemplate.from_messages([("system", "Be brief, {user_id}.")]),
        PromptTemplate.from_template("Be brief, {user_id}."),
    ],
    ids=["messages", "text"],
)
async def test_a_template_without_the_question_is_the_instructions(prompt: Any) -> None:
    """The conversation follows."""
    turn = await briefed(parts(prompt_template=prompt), a_placed_record(), TURN)
    assert turn.messages[0] == Message(role="system", text="Be brief, ada.")
    assert [message.text for message in turn.messages[1:]] == ["Are you open?", "Yes.", "Until when?"]


async def test_a_template_that_fails_is_an_agent_error() -> None:
    """With the class of what went wrong, without the words."""

    def fails() -> str:
        raise ValueError("a caller's words")

    prompt = ChatPromptTemplate.from_messages([("system", "{user_id} {metadata_no_such} {context}")])
    with pytest.raises(AgentError, match="prompt_template failed: ValueError"):
        await briefed(parts(prompt_template=_Failing(prompt, fails)), a_placed_record(), TURN)
    assert (await briefed(parts(prompt_template=prompt), a_placed_record(), TURN)).messages[0].text == "ada  "


class _Failing:
    """A prompt template that fails when it is filled."""

    def __init__(self, prompt: ChatPromptTemplate, fails: Callable[[], str]) -> None:
        self.input_variables, self._fails = prompt.input_variables, fails

    async def aformat_prompt(self, **values: Any) -> Any:
        return self._fails()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("memory", History(), "memory: give a BaseStore, or a function"),
        ("retriever", 7, "retriever: int is no BaseRetriever"),
        ("vector_store", object(), "vector_store: object is no VectorStore"),
        ("prompt_template", "json:dumps", "prompt_template: function is no prompt template"),
        (
            "prompt_template",
            PromptTemplate.from_template("{weather}"),
            "prompt_template: a turn has no weather; it has context, history, input, user_id, metadata_…",
        ),
        ("chat_model", 7, "int is no function and no agent"),
        ("chat_model", "json:dumps", "register a function with @agent"),
        ("chat_model", "no_such_module:x", "chat_model: there is no module"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_with_its_field(field: str, value: Any, message: str) -> None:
    """And with what is wanted."""
    with pytest.raises(InvalidConfig, match=message):
        parts(**{field: value}).find(field)


def test_parts_are_made_once() -> None:
    """They keep their connections from turn to turn."""
    table = parts(chat_model=FakeListChatModel(responses=["Yes."]))
    assert table.find("chat_model") is table.find("chat_model")
    assert table.find("memory") is None


async def test_what_was_found_has_less_authority_than_what_is_remembered() -> None:
    """The system's messages come first, and no document is in one of them."""
    history = History()
    await MemoryPart(lambda _key: history).add("default:ada", "earlier", [{"role": "user", "text": "I am Ada."}])
    await MemoryPart(lambda _key: history).condense("default:ada", 1, "Ada likes bread.")
    turn = await briefed(parts(memory=lambda _key: history, retriever=Found()), a_placed_record(), TURN)
    roles = [message.role for message in turn.messages]
    assert roles == sorted(roles, key=lambda role: role != "system")
    assert [message.role for message in turn.messages if "Open until nine." in message.text] == ["user"]
    assert turn.messages[-1].text == "Until when?"

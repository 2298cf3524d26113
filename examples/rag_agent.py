"""A configured agent: a chat model that is told what a vector store knows, and what was said in earlier calls.

Every part is LangChain's, and an object of this process; servers name them as ``module:attr`` in their configuration.
"""

import asyncio
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.stores import InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.frameworks.orchestrator import SessionEvent
from voicebackend.testing import Caller

KNOWN = [
    "Mondays we are closed.",
    "From Tuesday to Sunday we are open until nine.",
    "We have parking behind the house.",
]


def parrot(told: dict[str, Any]) -> str:
    """Stand for a model that costs money: say what it would be told."""
    earlier = sum(message.type == "human" for message in told["messages"]) - 1
    return f"You asked {earlier} times before. {told['context']}"


class AfterCare:
    """Hears of calls; each method may return a Celery signature, which is then sent off."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def on_session_ended(self, event: SessionEvent) -> None:
        print(f"session over: {event.reason}")
        self.over.set()


async def call(backend: VoiceBackend, care: AfterCare, words: str) -> None:
    wanted = SessionConfig(user_id="user-123", transport="websocket", rag_config={"k": 1})
    async with await backend.create_session(wanted) as session:
        print(f"caller: {words}")
        print(f"agent:  {await Caller(session).ask(words)}")
    await asyncio.wait_for(care.over.wait(), 20)
    care.over.clear()


async def main() -> None:
    store, care = InMemoryVectorStore(DeterministicFakeEmbedding(size=64)), AfterCare()
    await store.aadd_documents([Document(text) for text in KNOWN])
    config = BackendConfig(
        provider="mock",
        chat_model=RunnableLambda(parrot),  # or a chat model
        vector_store=store,
        memory=InMemoryStore(),
        prompt_template=ChatPromptTemplate.from_messages([("system", "You are a host. Be brief. Known: {context}")]),
        orchestrator=care,
    )
    async with VoiceBackend(config) as backend:
        await call(backend, care, KNOWN[1])  # this embedding knows only the very same words
        await call(backend, care, KNOWN[2])


if __name__ == "__main__":
    asyncio.run(main())

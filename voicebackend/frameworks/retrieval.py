"""``retriever``, ``vector_store`` and ``embedder``: what is known of a question, by LangChain's interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voicebackend.errors import InvalidConfig

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore

MAX_CHARACTERS = 12_000
"""Of all documents together; what is longer is cut."""


class RetrieverPart:
    """Asks a ``BaseRetriever``, or any runnable that returns documents."""

    def __init__(self, retriever: BaseRetriever) -> None:
        self._retriever = _having(retriever, "ainvoke", field="retriever", kind="BaseRetriever")

    async def find(self, query: str, k: int) -> list[str]:
        """Return the texts of at most ``k`` documents, best first."""
        return texts_of((await self._retriever.ainvoke(query))[:k])


class VectorStorePart:
    """Asks a ``VectorStore``, by words or by what an embedder makes of them."""

    def __init__(self, store: VectorStore) -> None:
        self._store = _having(store, "asimilarity_search", field="vector_store", kind="VectorStore")

    async def find(self, query: str, k: int, wanted: Mapping[str, Any]) -> list[str]:
        """Return the texts of at most ``k`` documents that are like the query and pass the filter, best first."""
        return texts_of(await self._store.asimilarity_search(query, k=k, **_filter(wanted)))

    async def near(self, vector: Sequence[float], k: int, wanted: Mapping[str, Any]) -> list[str]:
        """Return the texts of at most ``k`` documents near a vector that pass the filter, nearest first."""
        return texts_of(await self._store.asimilarity_search_by_vector(list(vector), k=k, **_filter(wanted)))


class EmbedderPart:
    """Asks an ``Embeddings``, for the vector store."""

    def __init__(self, embedder: Embeddings) -> None:
        self._embedder = _having(embedder, "aembed_query", field="embedder", kind="Embeddings")

    async def embed(self, query: str) -> list[float]:
        """Return the vector of a query."""
        return [float(number) for number in await self._embedder.aembed_query(query)]


def texts_of(documents: Iterable[Document]) -> list[str]:
    """Return what documents say, as far as a model is to read it."""
    found, left = [], MAX_CHARACTERS
    for document in documents:
        text = document.page_content.strip()[:left]
        if text:
            found.append(text)
            left -= len(text)
    return found


def _filter(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {"filter": dict(wanted)} if wanted else {}


def _having(target: Any, method: str, *, field: str, kind: str) -> Any:
    """Return an object that has a method."""
    if not callable(getattr(target, method, None)):
        message = f"{field}: {type(target).__name__} is no {kind} of LangChain"
        raise InvalidConfig("config", message, details={"field": field})
    return target

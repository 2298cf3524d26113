"""Stand-ins for models, memory and retrieval that live in another process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from voicebackend.agents import Turn
from voicebackend.remote.calls import Reference
from voicebackend.remote.proxies import Caller, RemoteObject, fitting

PIECE_BYTES = 48 * 1024
"""Of a turn's audio, in one call."""


class RemoteChatModel(RemoteObject):
    """A chat model elsewhere."""

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made."""
        async with aclosing(self._caller.stream(self._target, "reply", fitting(turn))) as answer:
            async for text in answer:
                yield text


class RemoteMultimodalModel(RemoteObject):
    """A model that hears elsewhere: the caller's audio goes before the turn, piece by piece."""

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield the answer as it is made."""
        key = f"{turn.session_id}:{turn.number}:{turn.attempt}"
        for start in range(0, len(turn.audio), PIECE_BYTES):
            await self._call("hear", key, turn.audio[start : start + PIECE_BYTES])
        async with aclosing(self._caller.stream(self._target, "reply", fitting(turn), key)) as answer:
            async for text in answer:
                yield text


class RemoteMemory(RemoteObject):
    """A memory elsewhere."""

    async def read(self, key: str, limit: int) -> Any:
        """Ask what is remembered."""
        return await self._call("read", key, limit)

    async def add(self, key: str, session_id: str, said: Sequence[Any]) -> None:
        """Have what was said remembered."""
        await self._call("add", key, session_id, list(said))

    async def older(self, key: str, limit: int) -> Any:
        """Ask what is to be summed up."""
        return await self._call("older", key, limit)

    async def condense(self, key: str, limit: int, summary: str) -> None:
        """Have a summary remembered in place of what is older."""
        await self._call("condense", key, limit, summary)

    async def forget(self, key: str, session_id: str = "") -> bool:
        """Have what is under a key, or what one session left there, forgotten; False if it cannot."""
        return await self._call("forget", key, session_id) is True


class RemoteRetriever(RemoteObject):
    """A retriever or a vector store elsewhere."""

    async def find(self, query: str, *options: Any) -> Any:
        """Ask what is known."""
        return await self._call("find", query, *options)

    async def near(self, vector: Sequence[float], *options: Any) -> Any:
        """Ask what is near a vector."""
        return await self._call("near", list(vector), *options)


class RemoteEmbedder(RemoteObject):
    """An embedder elsewhere."""

    async def embed(self, query: str) -> Any:
        """Ask for a query's vector."""
        return await self._call("embed", query)


class RemotePrompt(RemoteObject):
    """A prompt template elsewhere."""

    async def messages(self, values: Mapping[str, Any]) -> Any:
        """Ask what a model is told."""
        return await self._call("messages", dict(values))


class RemoteOrchestrator(RemoteObject):
    """An orchestrator elsewhere."""

    async def tell(self, told: Mapping[str, Any]) -> None:
        """Tell of an event."""
        await self._call("tell", dict(told))


PART_PROXIES: Mapping[str, Callable[[Caller, Reference], Any]] = {
    "chat_model": RemoteChatModel,
    "multimodal_model": RemoteMultimodalModel,
    "memory": RemoteMemory,
    "retriever": RemoteRetriever,
    "vector_store": RemoteRetriever,
    "embedder": RemoteEmbedder,
    "prompt_template": RemotePrompt,
    "orchestrator": RemoteOrchestrator,
}
"""The stand-in for each of these fields."""

"""``memory``: what earlier conversations of a caller leave, in LangChain's chat message histories."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from voicebackend.agents import Message
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.frameworks.langchain import from_langchain, to_langchain

if TYPE_CHECKING:
    from langchain_core.chat_history import BaseChatMessageHistory
    from langchain_core.messages import BaseMessage
    from langchain_core.stores import BaseStore

MAX_BYTES = 32 * 1024
"""Of what is remembered as JSON; the oldest go first."""

Said = dict[str, str]
"""A message as it travels: ``{"role": "system" | "user" | "agent", "text": …}``."""


class MemoryPart:
    """Reads and writes the history that a function returns for a key: ``memory=lambda key: SomeHistory(key)``.

    The function is called in a thread. The key is ``<tenant>:<user_id>``, or a session's id. A ``BaseStore`` will do
    instead: it has the messages of each key as a list of dictionaries.

    Raises:
        InvalidConfig: it is no function; one history for all callers would mix them up.

    """

    def __init__(self, factory: Callable[[str], BaseChatMessageHistory] | BaseStore[str, Any]) -> None:
        if not callable(factory) and not hasattr(factory, "amget"):
            message = "memory: give a BaseStore, or a function of a key that returns a caller's BaseChatMessageHistory"
            raise InvalidConfig("memory", message, details={"field": "memory"})
        store = cast("BaseStore[str, Any]", factory)
        self._factory: Callable[[str], Any] = factory if callable(factory) else partial(StoredHistory, store)

    async def read(self, key: str, limit: int) -> list[Said]:
        """Return the summary, if there is one, and the latest ``limit`` messages, oldest first."""
        summary, said = _parted(from_langchain(await (await self._history(key)).aget_messages()))
        found = [_said(message) for message in (*summary, *_latest(said, limit))]
        while len(found) > len(summary) and len(json.dumps(found)) > MAX_BYTES:
            found.pop(len(summary))
        return found

    async def add(self, key: str, session_id: str, said: Sequence[Said]) -> None:
        """Write what was said in a session, once: nothing if some of it is there."""
        history = await self._history(key)
        if any(str(message.id).startswith(f"{session_id}:") for message in await history.aget_messages()):
            return
        messages = to_langchain([_message(entry) for entry in said])
        for number, message in enumerate(messages):
            message.id = f"{session_id}:{number}"
        if messages:
            await history.aadd_messages(messages)

    async def older(self, key: str, limit: int) -> list[Said]:
        """Return what a summary is to be made of: all but the latest ``limit`` messages; nothing where that is none."""
        summary, said = _parted(from_langchain(await (await self._history(key)).aget_messages()))
        older = said[: len(said) - len(_latest(said, limit))]
        return [_said(message) for message in (*summary, *older)] if older else []

    async def condense(self, key: str, limit: int, summary: str) -> None:
        """Put a summary in the place of all but the latest ``limit`` messages."""
        history = await self._history(key)
        latest = _latest([message for message in await history.aget_messages() if message.type != "system"], limit)
        await history.aclear()
        await history.aadd_messages([*to_langchain([Message(role="system", text=summary)]), *latest])

    async def forget(self, key: str, session_id: str = "") -> bool:
        """Delete what is under a key; of one session, what it left and summaries, which may tell of it.

        False if the history has no way to: what it has is then for its owner to delete.
        """
        history = await self._history(key)
        others: list[BaseMessage] = []
        if session_id:
            found = await history.aget_messages()
            others = [message for message in found if _of_another(str(message.id or ""), session_id)]
        try:
            await history.aclear()
        except (AttributeError, NotImplementedError):
            return False
        if others:
            await history.aadd_messages(others)
        return True

    async def _history(self, key: str) -> BaseChatMessageHistory | StoredHistory:
        history: BaseChatMessageHistory | StoredHistory = await asyncio.to_thread(self._factory, key)
        if not hasattr(history, "aget_messages"):
            raise AgentError("memory", f"memory gave {type(history).__name__}, not a BaseChatMessageHistory")
        return history


class StoredHistory:
    """The messages of one key in a ``BaseStore``, with the methods of a history that are used here."""

    def __init__(self, store: BaseStore[str, Any], key: str) -> None:
        self._store, self._key = store, key

    async def aget_messages(self) -> list[BaseMessage]:
        """Return what is there."""
        from langchain_core.messages import messages_from_dict

        [found] = await self._store.amget([self._key])
        return messages_from_dict(found or [])

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Write more."""
        from langchain_core.messages import messages_to_dict

        await self._store.amset([(self._key, messages_to_dict([*await self.aget_messages(), *messages]))])

    async def aclear(self) -> None:
        """Delete what is there."""
        await self._store.amdelete([self._key])


def _parted(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Return the latest summary, if there is one, and what was said."""
    summaries = [message for message in messages if message.role == "system"]
    return summaries[-1:], [message for message in messages if message.role != "system"]


def _of_another(message_id: str, session_id: str) -> bool:
    """Tell whether a message was left by another session; of what we did not write nobody knows."""
    return ":" in message_id and not message_id.startswith(f"{session_id}:")


def _latest(said: Sequence[Any], limit: int) -> list[Any]:
    return list(said[max(0, len(said) - limit) :])


def _said(message: Message) -> Said:
    return {"role": message.role, "text": message.text}


def _message(said: Said) -> Message:
    return Message(**cast("Any", said))

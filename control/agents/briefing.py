"""What the configuration adds to a turn before its agent is asked: memory, what is known of the question, the prompt.

A caller waits for it. What fails or is late is left out, and the agent answers without; only a prompt must be there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from control.part_table import PartTable
from control.records.names import is_somebody
from voicebackend.agents import HistoryEntry, Message, Turn
from voicebackend.errors import AgentError, VoiceBackendError
from voicebackend.frameworks.messages import briefing, conversation
from voicebackend.record import SessionRecord
from voicebackend.session_parts import MemoryConfig, RagConfig

logger = logging.getLogger(__name__)

LOOK_UP_S = 2.0
"""Seconds that memory and retrieval may take, beside one another."""
Found = TypeVar("Found")


async def briefed(parts: PartTable, record: SessionRecord, turn: Turn) -> Turn:
    """Return the turn with its ``context``, and its ``messages`` where memory or a prompt template decide them.

    Raises:
        AgentError: the prompt template failed.

    """
    extra = {"session_id": turn.session_id, "turn": turn.number}
    remembered, context = await asyncio.gather(
        _in_time(_remembered(parts, record), [], "memory", extra),
        _in_time(_known(parts, record, turn.transcript), [], "retrieval", extra),
    )
    turn = replace(turn, context=tuple(context))
    prompt = parts.find("prompt_template")
    if prompt is not None:
        return replace(turn, messages=tuple(await _filled(prompt, turn, remembered)))
    if remembered:
        said = conversation(turn.history, turn.transcript)
        return replace(turn, messages=tuple(_instructed_first([*briefing(turn.context), *remembered, *said])))
    return turn


def _instructed_first(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with those of the system before all others: some models take them nowhere else."""
    return sorted(messages, key=lambda message: message.role != "system")


def memory_key(record: SessionRecord, config: MemoryConfig) -> str:
    """Return the key of what is remembered: nobody's but this caller's."""
    by_user = config.scope == "user" and is_somebody(record.user_id)
    return f"{record.tenant}:{record.user_id}" if by_user else record.id


async def _remembered(parts: PartTable, record: SessionRecord) -> list[Message]:
    memory = parts.find("memory")
    if memory is None:
        return []
    config = MemoryConfig.model_validate(record.memory_config)
    found = await memory.read(memory_key(record, config), config.max_messages)
    return [Message(role=said["role"], text=_labelled(said)) for said in found]


def _labelled(said: dict[str, str]) -> str:
    return f"Of earlier conversations with this caller: {said['text']}" if said["role"] == "system" else said["text"]


async def _known(parts: PartTable, record: SessionRecord, query: str) -> list[str]:
    config = RagConfig.model_validate(record.rag_config)
    if not config.enabled or not query.strip():
        return []
    retriever = parts.find("retriever")
    if retriever is not None:
        found: list[str] = await retriever.find(query, config.k)
        return found
    store, embedder = parts.find("vector_store"), parts.find("embedder")
    if store is None:
        return []
    if embedder is None:
        found = await store.find(query, config.k, config.filter)
    else:
        found = await store.near(await embedder.embed(query), config.k, config.filter)
    return found


async def _in_time(work: Awaitable[Found], otherwise: Found, what: str, extra: dict[str, Any]) -> Found:
    try:
        async with asyncio.timeout(LOOK_UP_S):
            return await work
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is answered
        logger.warning("agent turn without %s", what, extra={**extra, "error": type(error).__name__})
        return otherwise


async def _filled(prompt: Any, turn: Turn, remembered: Sequence[Message]) -> list[Message]:
    said = [*remembered, *(_message(entry) for entry in turn.history if entry.text.strip())]
    values = {
        "input": turn.transcript,
        "history": [{"role": message.role, "text": message.text} for message in said],
        "context": "\n\n".join(turn.context),
        "user_id": turn.user_id,
        "metadata": dict(turn.metadata),
    }
    try:
        return [Message(role=told["role"], text=told["text"]) for told in await prompt.messages(values)]
    except VoiceBackendError:
        raise
    except Exception as error:
        raise AgentError("agent", f"prompt_template failed: {type(error).__name__}") from error


def _message(entry: HistoryEntry) -> Message:
    return Message(role=entry.role, text=entry.text)

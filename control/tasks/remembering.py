"""``agents.remember``: put what was said in a session that is over into the configured memory, and sum up what is old.

What may not be kept of a call is not remembered either. Whatever fails here, what follows the end of a session goes on.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Any

from control import context, loop
from control.agents.briefing import memory_key
from control.agents.memory import read_memory
from control.context import TaskContext
from control.records.data_class import DataClass
from control.records.memories import Memories
from control.records.names import names_of
from control.records.policy import restored
from control.tasks.ending import after_end
from control.tasks.retention import FIELD, kept_s
from voicebackend._redis import redis_errors
from voicebackend.agents import Message, Turn
from voicebackend.consent import kept_from
from voicebackend.errors import SessionNotFound
from voicebackend.record import SessionRecord
from voicebackend.session_parts import MemoryConfig

logger = logging.getLogger(__name__)

REMEMBER_S = 40.0
"""Seconds for all of it."""
FROM_THE_START_S = 1.0
"""Seconds after its creation within which a consent is for all of a session."""
MAX_SUMMARY = 4_000
"""Characters of a summary."""
INSTRUCTIONS = (
    "Sum up these telephone conversations with one caller in a few sentences, for whoever takes the next call: "
    "who the caller is, what was wanted, what was agreed. Answer with the summary only."
)


def remember(session_id: str) -> None:
    """Remember a session that is over, once, and have what else follows its end done."""
    loop.run(_remember(context.current(), session_id), REMEMBER_S + 10)


async def _remember(shared: TaskContext, session_id: str) -> None:
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        return
    await shared.refresh()
    under_way = shared.keys.remembering(session_id)
    try:
        with redis_errors("memory"):  # before it is looked whether somebody was erased: an erasure waits for it
            await shared.state.set(under_way, "1", ex=round(REMEMBER_S) + 20)
        if withdrawn_since_end(record) or await _erased(shared, record):  # somebody may have died who remembered it
            unwanted = True
        else:
            unwanted = await _keep_quietly(shared, record) and not await _still(shared, record)
        if unwanted:
            async with asyncio.timeout(REMEMBER_S):
                await _forget_unheld(shared, record)
        with redis_errors("memory"):
            await shared.state.delete(under_way)
    finally:
        await shared.publisher.publish(after_end(shared), session_id=session_id)


def withdrawn_since_end(record: SessionRecord) -> bool:
    """Tell whether the last that was said of keeping what was said is a withdrawal that came after the end."""
    said = [one for one in record.consent if "transcript" in one["classes"]]
    return bool(said) and not said[-1]["given"] and float(said[-1]["at"]) >= record.ended_at


async def _forget_unheld(shared: TaskContext, record: SessionRecord) -> None:
    """Have forgotten what may not be remembered any more, unless a hold keeps it; what fails is tried again."""
    memory, cabinet = shared.parts.find("memory"), await shared.cabinet()
    if memory is None:
        return
    covers = None if cabinet is None else await cabinet.holds.covering(record.tenant)
    if covers is None or not covers(record.id, await _subjects(shared, record)):
        await _forget(record, memory)


async def _keep_quietly(shared: TaskContext, record: SessionRecord) -> bool:
    """Remember a session; where that fails, what else follows its end goes on. False if there is nothing of it."""
    try:
        async with asyncio.timeout(REMEMBER_S):
            return await _keep(shared, record)
    except Exception as error:  # noqa: BLE001 - memory is an addition: retention must go on
        logger.warning("session not remembered", extra={"session_id": record.id, "error": type(error).__name__})
        return True


async def _keep(shared: TaskContext, record: SessionRecord) -> bool:
    memory = shared.parts.find("memory")
    if memory is None or not await _may_be_kept(shared, record):
        return False
    config = MemoryConfig.model_validate(record.memory_config)
    key = memory_key(record, config)
    said = await read_memory(shared.state, shared.keys, record.id)
    await Memories(shared.state, shared.keys).note(record.tenant, await _subjects(shared, record), key)
    await memory.add(key, record.id, [{"role": entry.role, "text": entry.text} for entry in said if entry.text])
    await _sum_up(shared, record, memory, key, config)
    return True


async def _sum_up(shared: TaskContext, record: SessionRecord, memory: Any, key: str, config: MemoryConfig) -> None:
    """Put a summary in the place of what is old, where the session asked for that."""
    if config.summarise and (older := await memory.older(key, config.max_messages)):
        messages = [Message(role=told["role"], text=told["text"]) for told in older]
        if summary := await _summary(shared, record, messages):
            await memory.condense(key, config.max_messages, summary)


async def _may_be_kept(shared: TaskContext, record: SessionRecord) -> bool:
    """Tell whether policies, consent and the retention hook let all that was said be kept as it was said."""
    rule = restored(record.retention, DataClass.TRANSCRIPT)
    if shared.deployment.retention is not None and (rule.redacted or not rule.ttl_s):
        return False
    since = kept_from(record.consent, "transcript", required=rule.consent)
    if since is None or since > record.created_at + FROM_THE_START_S:
        return False
    return bool(await kept_s(shared.hooks.find(FIELD), "transcript", record))


async def _erased(shared: TaskContext, record: SessionRecord) -> bool:
    """Tell whether somebody whom the session is about was erased since it began."""
    subjects = await _subjects(shared, record)
    return await Memories(shared.state, shared.keys).erased(record.tenant, subjects, record.created_at)


async def _subjects(shared: TaskContext, record: SessionRecord) -> tuple[str, ...]:
    """Return who a session is about, as hashes; nobody where no records are kept, and nobody can be erased."""
    cabinet = await shared.cabinet()
    return () if cabinet is None else cabinet.subjects.all(record.tenant, names_of(record))


async def _still(shared: TaskContext, record: SessionRecord) -> bool:
    """Tell whether nobody was erased, and consent not withdrawn, while it was remembered."""
    if await _erased(shared, record):
        return False
    try:
        said = (await shared.store.get(record.id)).consent
    except SessionNotFound:  # it takes no withdrawal any more, and goes with nothing but time or an erasure
        return True
    required = restored(record.retention, DataClass.TRANSCRIPT).consent
    return kept_from(said, "transcript", required=required) is not None


async def _forget(record: SessionRecord, memory: Any) -> None:
    """Have forgotten what a session left in memory, with the summary, which may tell of it."""
    config = MemoryConfig.model_validate(record.memory_config)
    if not await memory.forget(memory_key(record, config), record.id):
        logger.warning("memory cannot forget", extra={"session_id": record.id})


async def _summary(shared: TaskContext, record: SessionRecord, messages: list[Message]) -> str:
    model = shared.parts.find("chat_model")
    if model is None:
        return ""
    told = "\n".join(f"{message.role}: {message.text}" for message in messages)
    asked = (Message(role="system", text=INSTRUCTIONS), Message(role="user", text=told))
    turn = Turn(session_id=record.id, number=0, transcript=told, messages=asked, user_id=record.user_id)
    summary = ""
    async with aclosing(model(turn)) as texts:
        async for text in texts:
            summary += text
            if len(summary) > MAX_SUMMARY:
                break
    return summary[:MAX_SUMMARY].strip()

"""What Redis writes down, slow log, append-only file and snapshot: forgotten on every server that held content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from voicebackend._cluster import ClusterClient
from voicebackend._redis import connect
from voicebackend.settings import Deployment


class NotesState(StrEnum):
    """What came of it; the last that is true of any server."""

    CLEARED = "cleared"
    REFUSED = "refused"
    """A server does not let us."""
    LATER = "later"
    """A server is away, or writes a file anew already, and began that too soon: ask again."""


_ORDER = tuple(NotesState)
_BUSY = "in progress"
"""In what Redis says when it writes a file anew already."""


async def clear_notes(redises: Iterable[Redis]) -> NotesState:
    """Have these servers, each once, forget what they wrote down.

    Files are written anew in the background: what was deleted is out of them some seconds later.
    """
    states = [NotesState.CLEARED]
    seen: set[str] = set()
    for redis in redises:
        try:
            nodes = await redis.primaries() if isinstance(redis, ClusterClient) else [redis]
        except RedisError:
            nodes = []
            states.append(NotesState.LATER)
        states += [await _clear(node, seen) for node in nodes]
    return max(states, key=_ORDER.index)


async def clear_all_notes(deployment: Deployment) -> NotesState:
    """Clear the notes of the servers of all roles."""
    urls = dict.fromkeys((deployment.state_url, deployment.audio_url, deployment.broker_url))
    redises = [connect(url) for url in urls]
    try:
        return await clear_notes(redises)
    finally:
        for redis in redises:
            await redis.aclose()


async def _clear(redis: Redis, seen: set[str]) -> NotesState:
    try:
        about: Any = await redis.info("all")
        if about["run_id"] in seen:
            return NotesState.CLEARED
        seen.add(about["run_id"])
        await redis.slowlog_reset()
        if about["aof_enabled"] and not about["aof_rewrite_scheduled"]:
            await redis.bgrewriteaof()
        if has_snapshot(about):
            await redis.bgsave()  # once the append-only file is written
    except (RedisConnectionError, RedisTimeoutError):
        return NotesState.LATER
    except RedisError as error:
        return NotesState.LATER if _BUSY in str(error) else NotesState.REFUSED
    return NotesState.CLEARED


def has_snapshot(about: Mapping[str, Any]) -> bool:
    """Tell by a server's ``INFO`` whether it made a snapshot since its start, or began from one.

    To be asked whether it makes any, it would have to let us read its passwords. Before Redis 7 it does not tell
    what it began from.
    """
    made = about.get("rdb_saves", about["rdb_last_bgsave_time_sec"] + 1)
    began = 0 if about["aof_enabled"] else about.get("rdb_last_load_keys_loaded", 0)
    return bool(made or began)

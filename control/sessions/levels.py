"""What a session sounds like just now, read from its lane beside its worker: for people who watch, at no cost else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from redis.asyncio import Redis

from control.sessions.store import SessionStore
from voicebackend._redis import connect, redis_errors
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.levels import measure
from voicebackend.reader import Reader
from voicebackend.record import SessionRecord
from voicebackend.session import is_over
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind

EVERY_S = 0.2
"""Seconds between two looks at a lane; each brings the audio of all sessions in it, 40 KB a second each."""
QUIET_LOOKS = 25
"""Looks without news after which it is asked whether the session is over."""
SILENCE_DBFS = -90.0
_COUNT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How a session stands."""

    caller_dbfs: float = SILENCE_DBFS
    """Root mean square of the caller's audio since the last look, in dB below full scale: -90 to 0."""
    turn: int = 0
    """The agent's turn that is or was played last."""
    played_ms: float = 0.0
    """Of that turn, heard by the caller."""

    def after(self, frames: Iterable[Frame]) -> Level:
        """Return how it stands after these frames of the session."""
        level, heard = self, b""
        for frame in frames:
            if frame.kind is Kind.AUDIO_IN:
                heard += frame.payload
            elif frame.kind is Kind.PLAYED:
                level = replace(level, turn=frame.turn, played_ms=round(float(frame.json()["ms"]), 1))
        loud = max(SILENCE_DBFS, round(measure(heard).level_dbfs, 1)) if heard else SILENCE_DBFS
        return replace(level, caller_dbfs=loud)

    def to_dict(self) -> dict[str, float]:
        """Return it for JSON."""
        return asdict(self)


async def follow_levels(
    deployment: Deployment, store: SessionStore, record: SessionRecord
) -> AsyncGenerator[Level | None]:
    """Yield how a session stands whenever that changed, at most five times a second, until it is over.

    None is yielded after 5 s without a change.

    Raises:
        ConnectionFailed, ConnectionTimeout: Redis does not answer.

    """
    level, quiet = Level(), 0
    async with connect(deployment.audio_url, timeout_s=None, max_connections=2) as redis:
        reader = Reader(redis)
        await _tune_in(reader, redis, deployment.keys, record.lane)
        yield level
        while True:
            if quiet == QUIET_LOOKS:
                if await _is_over(store, record.id):
                    return
                quiet = 0
                yield None  # so that a reader who has gone is noticed
            quiet += 1
            await asyncio.sleep(EVERY_S)
            now = level.after(await _news(reader, record.id))
            if now != level:
                level, quiet = now, 0
                yield level


async def _tune_in(reader: Reader, redis: Redis, keys: Keys, lane: int) -> None:
    """Read the lane from here on."""
    stream = keys.lane(lane)
    with redis_errors("levels"):
        last: Any = await redis.xrevrange(stream, count=1)
    reader.add(stream, last[0][0] if last else b"0")


async def _news(reader: Reader, session: str) -> list[Frame]:
    """Return the frames of a session that came since the last look."""
    with redis_errors("levels"):
        found = await reader.read(block_ms=1, count=_COUNT)
    frames = (frame for _, entries in found for entry in entries for frame in entry.frames)
    return [frame for frame in frames if frame.session == session]


async def _is_over(store: SessionStore, session: str) -> bool:
    try:
        return is_over((await store.get(session)).state)
    except SessionNotFound:
        return True

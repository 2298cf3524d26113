"""What a lane's next holder starts from, kept beside the lane in ``audio`` by the holder of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from redis.asyncio import Redis

from voicebackend._wire import Wire
from voicebackend.keys import Keys
from voicebackend.streams import EntryId
from worker.lease import EPOCH_TTL_S

CHECKPOINT_TTL_S = 600
"""Seconds that a checkpoint lives without its holder."""
_BEGINNING = EntryId()
_POSITION, _TAKEOVERS, _SUSPECT = b"position", b"takeovers", b"suspect"

_WRITE = """
-- KEYS epoch, checkpoint
-- ARGV epoch, its ttl, ttl of the checkpoint, number of fields to forget, these, then field, value, ...
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if last > tonumber(ARGV[1]) then return 0 end
redis.call('EXPIRE', KEYS[2], ARGV[3])
if last < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
local values = 5 + tonumber(ARGV[4])
if values > 5 then redis.call('HDEL', KEYS[2], unpack(ARGV, 5, values - 1)) end
if #ARGV >= values then redis.call('HSET', KEYS[2], unpack(ARGV, values)) end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
"""A Redis that is full refuses no script that has written before, hence the first ``EXPIRE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A lane at one moment."""

    position: EntryId = _BEGINNING
    """The last entry that was handed to its sessions."""
    takeovers: int = 0
    """Takeovers since one led somewhere."""
    suspect: str = ""
    """The session that was being restored, where they are restored one by one."""
    sessions: Mapping[str, bytes] = field(default_factory=dict)
    """Each session's own checkpoint."""


class Checkpoints:
    """Reads and writes lanes' checkpoints; only for who has the lane's last epoch."""

    def __init__(self, audio: Redis | Wire, keys: Keys) -> None:
        self._wire, self._keys = Wire.over(audio), keys

    async def read(self, lane: int) -> Checkpoint:
        """Return a lane's checkpoint, an empty one if there is none."""
        (flat,) = await self._wire.execute(("HGETALL", self._keys.lane_checkpoint(lane)))
        raw: dict[bytes, bytes] = dict(zip(flat[::2], flat[1::2], strict=True))
        return Checkpoint(
            position=EntryId.parse(raw.pop(_POSITION, b"0-0")),
            takeovers=int(raw.pop(_TAKEOVERS, b"0")),
            suspect=raw.pop(_SUSPECT, b"").decode(),
            sessions={name.decode(): value for name, value in raw.items()},
        )

    async def write(
        self, lane: int, epoch: int, *, position: EntryId, changed: Mapping[str, bytes], gone: Iterable[str] = ()
    ) -> bool:
        """Write how far the lane was read and what changed; False if a later holder has it."""
        return await self._put(lane, epoch, {_POSITION: str(position), **changed}, gone)

    async def suspect(self, lane: int, epoch: int, session: str) -> bool:
        """Note which session is about to be restored, none with an empty id; False if a later holder has the lane."""
        return await self._put(lane, epoch, {_SUSPECT: session})

    async def taken_over(self, lane: int, epoch: int, takeovers: int) -> bool:
        """Note how many takeovers led nowhere so far; False if a later holder has the lane."""
        return await self._put(lane, epoch, {_TAKEOVERS: takeovers})

    async def _put(self, lane: int, epoch: int, values: Mapping[Any, Any], gone: Iterable[str] = ()) -> bool:
        names, fields = list(gone), chain.from_iterable(values.items())
        about = (epoch, EPOCH_TTL_S, CHECKPOINT_TTL_S, len(names), *names)
        keys = (self._keys.lane_epoch(lane), self._keys.lane_checkpoint(lane))
        (written,) = await self._wire.execute(("EVAL", _WRITE, 2, *keys, *about, *fields))
        return bool(written)

"""Notes in a session's record with which provider and engines it runs: by the lane's holder, for who takes over."""

from __future__ import annotations

from itertools import chain

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord, encode_fields

FIELDS = ("provider", "pipeline_type", "stt_provider", "tts_provider", "s2s_provider", "swapped")
_NOTE = """
-- KEYS record
-- ARGV epoch, field, value, ...
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch or tonumber(epoch) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
"""


async def note_engines(wire: Wire, keys: Keys, record: SessionRecord, epoch: int) -> None:
    """Write them; ``wire`` is the ``state`` role. A worker that no longer holds the lane writes nothing.

    Raises:
        ConnectionFailed: Redis is not there.

    """
    fields = encode_fields({name: getattr(record, name) for name in FIELDS})
    told = chain.from_iterable(fields.items())
    with redis_errors("session_engines"):
        await wire.execute(("EVAL", _NOTE, 1, keys.session(record.id), epoch, *told))

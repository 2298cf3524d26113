"""Where a session that runs here stands in its life: noted in record and log by the lane's holder, in one Lua step."""

from __future__ import annotations

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.keys import Keys
from voicebackend.record import LOG_FIELD, LOG_MAX_ENTRIES, encode_log
from voicebackend.session import SESSION_TRANSITIONS, SessionState

_NOTE = """
-- KEYS record, log
-- ARGV epoch, state to reach, states it may come from (",a,b,"), log field, log entry, most log entries
local from, epoch = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch'))
if epoch and tonumber(epoch) > tonumber(ARGV[1]) then return 0 end
if from and string.find(ARGV[3], ',' .. from .. ',', 1, true) then redis.call('HSET', KEYS[1], 'state', ARGV[2]) end
redis.call('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[6], '*', ARGV[4], ARGV[5])
return 1
"""


async def note_state(wire: Wire, keys: Keys, session: str, state: SessionState, epoch: int) -> None:
    """Note that a session is ready or active; ``wire`` is the ``state`` role.

    The record follows as far as the transition table allows. A worker whose epoch is older than the record's writes
    nothing: another holds the lane.

    Raises:
        ConnectionFailed: Redis is not there.

    """
    origins = f",{','.join(one for one, following in SESSION_TRANSITIONS.items() if state in following)},"
    entry = encode_log({"type": "session", "state": str(state)})[LOG_FIELD]
    told = (epoch, str(state), origins, LOG_FIELD, entry, LOG_MAX_ENTRIES)
    with redis_errors("session_state"):
        await wire.execute(("EVAL", _NOTE, 2, keys.session(session), keys.session_log(session), *told))

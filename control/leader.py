"""One leader among equals: a lock in Redis that its holder renews, and that another takes when it is not renewed."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import uuid

from redis import Redis as SyncRedis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

TTL_S = 10.0
"""Seconds after which a leader that does not renew is replaced."""

_LEAD = """
local leader = redis.call('GET', KEYS[1])
if leader == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if leader then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RESIGN = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Leadership:
    """This process's part in the election for one role."""

    def __init__(self, redis: SyncRedis, key: str, *, ttl_s: float = TTL_S) -> None:
        self._redis, self._key, self._ttl_ms = redis, key, round(ttl_s * 1000)
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        """What the lock holds while this process leads."""
        self._leads: bool | None = None  # not known yet: what it turns out to be is said once, standby too

    def __repr__(self) -> str:
        return f"<Leadership [{'leader' if self._leads else 'standby'}]>"

    def renew(self) -> bool:
        """Take or keep the lead; False while another has it or Redis does not answer."""
        try:
            leads = bool(self._redis.eval(_LEAD, 1, self._key, self.name, str(self._ttl_ms)))
        except (RedisError, OSError) as error:
            logger.warning("leader: Redis does not answer", extra={"error": type(error).__name__})
            leads = False
        if leads != self._leads:
            logger.info("leader: leads now" if leads else "leader: stands by", extra={"leader": self._key})
        self._leads = leads
        return leads

    def resign(self) -> None:
        """Let another lead at once."""
        with contextlib.suppress(RedisError, OSError):
            self._redis.eval(_RESIGN, 1, self._key, self.name)
        self._leads = False

"""How often a tenant may ask: by route and address, reckoned in Redis, or here at a quarter of it while Redis is away.

GCRA: a request moves the time until which the tenant has paid on by what it costs; who is further ahead of now than the
burst allows has to wait.
"""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict
from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.errors import RateLimitExceeded, VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.limits import Rate

logger = logging.getLogger(__name__)

LOCAL_SHARE = 0.25
"""Of the rate, what each process allows by itself while Redis does not answer."""
MAX_LOCAL = 10_000
"""Buckets that a process keeps by itself; the longest unused is forgotten."""
_GCRA = """
-- KEYS paid until (ms)
-- ARGV milliseconds that each costs, how far ahead of now a request may be
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local paid = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = paid - now - ARGV[2]
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', paid + ARGV[1]), 'PX', math.ceil(paid + ARGV[1] - now) + 1)
return 0
"""
_GIVE_BACK = """
-- KEYS paid until (ms)
-- ARGV milliseconds that are given back
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local paid = tonumber(redis.call('GET', KEYS[1]) or '0') - ARGV[1]
if paid <= now then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], string.format('%.3f', paid), 'PX', math.ceil(paid - now) + 1)
return 1
"""


class RequestRates:
    """Counts requests; ``redis`` is the ``state`` role, whose clock is the one that counts."""

    def __init__(self, redis: Redis, keys: Keys, rate: Rate) -> None:
        self._keys, self._rate = keys, rate
        self._gcra, self._return = redis.register_script(_GCRA), redis.register_script(_GIVE_BACK)
        self._away = False
        self._local: OrderedDict[str, float] = OrderedDict()

    async def check(self, tenant: str, route: str, address: str) -> None:
        """Count one request of a tenant, '' for nobody known, on this route from this address.

        Raises:
            RateLimitExceeded: there were too many; ``retry_after`` says when the next may come.

        """
        if not self._rate.per_s:
            return
        wait_s = await self._wait_s(self._keys.request_rate(tenant, route, address))
        if wait_s > 0:
            message = "too many requests: wait for the time given"
            raise RateLimitExceeded("request", message, details={"limit": "requests"}, retry_after=wait_s)

    async def give_back(self, tenant: str, route: str, address: str) -> None:
        """Have one request that was counted cost nothing."""
        if not self._rate.per_s:
            return
        key = self._keys.request_rate(tenant, route, address)
        try:
            with redis_errors("rate_limit"):
                await self._return([key], [self._rate.interval_ms])
        except VoiceBackendError:
            if key in self._local:
                self._local[key] -= self._local_interval_s

    async def _wait_s(self, key: str) -> float:
        interval_ms = self._rate.interval_ms
        try:
            with redis_errors("rate_limit"):
                waited: Any = await self._gcra([key], [interval_ms, interval_ms * (self._rate.burst - 1)])
        except VoiceBackendError as error:
            if not self._away:
                self._away = True
                logger.warning("requests are counted by this process alone", extra={"error_code": str(error.code)})
            return self._local_wait_s(key)
        if self._away:
            self._away = False
            logger.info("requests are counted by all processes together again")
        return int(waited) / 1000

    @property
    def _local_interval_s(self) -> float:
        return self._rate.interval_ms / 1000 / LOCAL_SHARE

    def _local_wait_s(self, key: str) -> float:
        """Return the same as the script, at the share that is left to each process."""
        now, interval_s = time.monotonic(), self._local_interval_s
        burst = max(1, math.floor(self._rate.burst * LOCAL_SHARE))
        paid = max(now, self._local.pop(key, 0.0))
        wait_s = paid - now - interval_s * (burst - 1)
        self._local[key] = paid if wait_s > 0 else paid + interval_s
        if len(self._local) > MAX_LOCAL:
            self._local.popitem(last=False)
        return max(0.0, wait_s)

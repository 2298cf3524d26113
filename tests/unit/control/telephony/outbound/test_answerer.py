"""Whether a machine answered, as it stands in a session's log."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
from fakeredis import FakeAsyncRedis

from control.telephony.outbound.answerer import QUIET_S, is_machine
from voicebackend.keys import Keys
from voicebackend.record import encode_log

SESSION, KEYS = "s1", Keys("p")


def told(who: str, ago_s: float, *, speaks: bool = False) -> tuple[float, dict[str, Any]]:
    """Return what the worker wrote so many seconds ago."""
    return ago_s, {"type": "answerer", "who": who, "speaks": speaks}


@pytest.mark.parametrize(
    ("entries", "at_once", "after_greeting"),
    [
        ([], None, None),
        ([told("unknown", 9)], None, None),
        ([told("human", 9)], False, False),
        ([told("human", 9), told("machine", 5)], True, True),
        ([told("machine", 9, speaks=True)], True, None),
        ([told("machine", 9, speaks=True), told("machine", QUIET_S / 3)], True, None),
        ([told("machine", 9, speaks=True), told("machine", QUIET_S + 1)], True, True),
        ([told("machine", 9), told("machine", 5, speaks=True)], True, None),
    ],
)
async def test_the_last_word_counts(
    entries: list[tuple[float, dict[str, Any]]], at_once: bool | None, after_greeting: bool | None
) -> None:
    """And for a message, that the machine has been silent for long enough."""
    redis, now = FakeAsyncRedis(), time.time()
    for ago_s, entry in [(now - 1, {"type": "session", "state": "ready"}), *entries]:
        at = f"{round((now - ago_s) * 1000)}-1"
        await redis.xadd(KEYS.session_log(SESSION), cast("Any", encode_log(entry)), id=at)
    assert await is_machine(redis, KEYS, SESSION, greeting_over=False) is at_once
    assert await is_machine(redis, KEYS, SESSION, greeting_over=True) is after_greeting

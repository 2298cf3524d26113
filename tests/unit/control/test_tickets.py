"""Tickets: each is good for its token once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

from control.access.tickets import ticket_for, token_of
from control.access.tokens import TOKEN_S
from voicebackend.keys import Keys


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    """Give a Redis of the test's own."""
    async with FakeAsyncRedis(version=(6, 2)) as client:
        yield client


async def test_a_ticket_is_good_for_its_token_once(redis: FakeAsyncRedis) -> None:
    """As long as the token is, and it is short and plain."""
    ticket = await ticket_for(redis, Keys(), "a.b.c")
    assert ticket.isascii()
    assert ticket.isalnum()
    assert len(f"token={ticket}") <= 512
    assert 0 < await redis.ttl(Keys().ticket(ticket)) <= TOKEN_S
    assert Keys().ticket(ticket).startswith(Keys().expiring())
    assert await token_of(redis, Keys(), ticket) == "a.b.c"
    assert await token_of(redis, Keys(), ticket) == ""


async def test_who_reads_keys_names_learns_no_ticket(redis: FakeAsyncRedis) -> None:
    """Nor a token: both are good for a caller's socket."""
    ticket = await ticket_for(redis, Keys(), "a.b.c")
    names: list[Any] = await redis.keys()
    assert [ticket in name.decode() for name in names] == [False]


@pytest.mark.parametrize("ticket", ["", "é", "x" * 48, "a.b.c", "0" * 48, "\udcff"])
async def test_what_is_no_ticket_is_good_for_nothing(redis: FakeAsyncRedis, ticket: str) -> None:
    """Without an error."""
    assert await token_of(redis, Keys(), ticket) == ""

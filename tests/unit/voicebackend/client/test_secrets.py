"""Requests whose answer has a secret are sent once: a second one would make another, and nobody saw the first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from voicebackend.client.http import HttpApi
from voicebackend.client.keys import KeyService
from voicebackend.client.webhooks import WebhookService
from voicebackend.errors import ConnectionFailed
from voicebackend.retry import RetryPolicy


class Deaf:
    """Takes requests, and is gone before it answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        """Lose the answer."""
        self.asked.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@pytest.fixture
async def deaf() -> AsyncIterator[tuple[Deaf, HttpApi]]:
    """Give a server that loses its answers, and a client of it that tries three times."""
    server_side, app = Deaf(), web.Application()
    app.router.add_route("*", "/{path:.*}", server_side.take)
    async with TestServer(app) as server:
        policy = RetryPolicy(max_retries=2, delay_s=0.01)
        api = HttpApi(str(server.make_url("")), "key", policy=policy, timeout_s=20.0)
        await api.open()
        yield server_side, api
        await api.aclose()


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: WebhookService(api).add("https://example.com/"),
        lambda api: WebhookService(api).rotate("w"),
        lambda api: KeyService(api).create("name", ["sessions:read"]),
        lambda api: KeyService(api).rotate("k"),
    ],
    ids=["webhooks.add", "webhooks.rotate", "keys.create", "keys.rotate"],
)
async def test_a_lost_answer_with_a_secret_is_not_asked_for_again(
    deaf: tuple[Deaf, HttpApi], ask: Callable[[HttpApi], Awaitable[Any]]
) -> None:
    """Whoever asks is told, and decides."""
    server, api = deaf
    with pytest.raises(ConnectionFailed):
        await ask(api)
    assert len(server.asked) == 1


async def test_any_other_request_is_repeated(deaf: tuple[Deaf, HttpApi]) -> None:
    """As often as the retry policy says."""
    server, api = deaf
    with pytest.raises(ConnectionFailed):
        await WebhookService(api).list()
    assert len(server.asked) >= 3

"""Our stay in a room, with a scripted room of the SDK's."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any, cast

import pytest
from livekit import rtc

from providers.livekit.config import Access
from providers.livekit.connection import JOIN_S, Connection
from providers.livekit.guest import Guest
from voicebackend.errors import ConnectionTimeout
from voicebackend.virtual_time import run

ACCESS = Access(url="wss://livekit.example.com", key="key", secret="a-secret-that-is-long-enough-for-hs256")


class SlowRoom:
    """Fails long after it was asked, with the URL and its token in its words, as the SDK does."""

    remote_participants: dict[str, Any] = {}  # noqa: RUF012 - nobody is there

    def on(self, event: str, callback: object) -> None:
        """Tell nothing."""

    async def connect(self, url: str, token: str, options: object) -> None:
        """Fail."""
        del options
        await asyncio.sleep(2 * JOIN_S)
        raise rtc.ConnectError(f"failed to reach {url}/rtc?access_token={token}")

    async def disconnect(self) -> None:
        """Leave."""


class Silence:
    """A source that plays nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    async def aclose(self) -> None:
        """Close."""


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the SDK's room scripted."""
    monkeypatch.setattr(rtc, "Room", SlowRoom)
    monkeypatch.setattr(rtc, "AudioSource", Silence)


@pytest.mark.parametrize("given_up", ["cancelled", "too late"])
def test_a_join_that_nobody_waits_for_logs_no_token(given_up: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its error comes after the end, and asyncio must not tell of it."""

    async def scene() -> None:
        connection = Connection(cast("Guest", None))
        joining = asyncio.create_task(connection.join(ACCESS, "room", 7, connect_s=5.0), name="join")
        if given_up == "cancelled":
            await asyncio.sleep(1)
            joining.cancel()
        [error] = await asyncio.gather(joining, return_exceptions=True)
        assert isinstance(error, asyncio.CancelledError if given_up == "cancelled" else ConnectionTimeout)
        await connection.leave()
        await asyncio.sleep(3 * JOIN_S)
        gc.collect()

    with caplog.at_level(logging.DEBUG):
        run(scene())
    assert "access_token" not in caplog.text

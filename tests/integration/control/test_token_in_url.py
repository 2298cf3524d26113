"""Tokens and keys in an address, where proxies and logs would keep them: they open nothing and are written nowhere."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import aiohttp
import pytest

START = {"type": "start", "sample_rate": 16_000}


@pytest.mark.parametrize("name", ["token", "access_token", "resume", "auth"])
async def test_a_token_in_a_url_opens_no_socket(api: Any, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """It is as if there were none: 4401, no log has it, and it is still good where it belongs."""
    caplog.set_level(logging.DEBUG)
    created = await api.create()
    url = f"{created['connect_url']}?{name}={created['token']}"
    async with api.http.ws_connect(url, protocols=("voicebackend.v1",)) as ws:
        await ws.send_json(START)
        async with asyncio.timeout(30):
            said = [json.loads(message.data) async for message in ws if message.type is aiohttp.WSMsgType.TEXT]
    assert [one["code"] for one in said if one["type"] == "error"] == ["authentication_failed"]
    assert ws.close_code == 4401
    _not_logged(caplog, created["token"])
    async with api.media(created) as good:
        await good.send_json(START)
        assert (await good.receive_json(timeout=30))["type"] == "ready"


@pytest.mark.parametrize("name", ["key", "api_key", "token", "authorization"])
async def test_a_key_in_a_url_opens_nothing(api: Any, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """401 as without, and neither the answer nor a log has it."""
    caplog.set_level(logging.DEBUG)
    key = api.serving.api_key
    answer = await api.send("GET", f"/v1/sessions?{name}={key}", key=None)
    assert answer.status == 401
    assert key not in await answer.text()
    _not_logged(caplog, key)


def _not_logged(caplog: pytest.LogCaptureFixture, secret: str) -> None:
    """Look into all of each record: its message, and what goes beside it."""
    for record in caplog.records:
        assert secret not in record.getMessage()
        assert secret not in repr(vars(record))

"""The pages as control serves them, and what they ask for beside the rest of the API."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import numpy as np
import pytest

from control.console.pages import pages
from control.sessions.levels import SILENCE_DBFS, Level
from voicebackend.audio import from_floats
from voicebackend.streams import Frame, Kind, json_payload

KEY = "test-key-0123456789"
LOUD = from_floats(0.5 * np.sin(np.arange(320) * 0.1))


async def test_pages_need_no_key_and_load_nothing_from_elsewhere(api: Any) -> None:
    """A stranger's script could read the key of the tab."""
    for path in ("/console", "/playground"):
        answer = await api.send("GET", path, headers={"Authorization": ""})
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
        asked = re.findall(r'(?:src|href)="(/console/[^"]+)"', text)
        assert len(asked) >= 3
        for file in asked:
            assert (await api.send("GET", file)).status == 200
    assert not [name for name, page in pages().items() if re.search(rb"https?://(?!www\.w3\.org/2000/svg)", page.body)]


async def test_modules_that_pages_import_are_there() -> None:
    """Whatever one imports or loads into the audio thread."""
    for page in pages().values():
        for name in re.findall(rb'from "\./([^"]+)"', page.body):
            assert name.decode() in pages()
    assert {"capture-worklet.js", "playout-worklet.js"} <= pages().keys()


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fpages.py", "pages.py", "%2e%2e%2fREADME.md"])
async def test_only_files_of_the_pages_are_served(api: Any, name: str) -> None:
    """By name, out of a table: no path is ever opened."""
    assert (await api.send("GET", f"/console/{name}")).status == 404


def test_a_level_is_that_of_the_audio_since_the_last_look() -> None:
    """And playout is as it was reported last."""
    frames = [
        Frame(session="s", kind=Kind.AUDIO_IN, payload=LOUD),
        Frame(session="s", kind=Kind.PLAYED, turn=2, payload=json_payload({"ms": 840.04})),
    ]
    level = Level().after(frames)
    assert level.caller_dbfs == pytest.approx(-9.0, abs=0.5)
    assert (level.turn, level.played_ms) == (2, 840.0)
    assert level.after([]) == Level(turn=2, played_ms=840.0)
    assert level.after([]).caller_dbfs == SILENCE_DBFS


async def test_levels_are_followed_until_the_session_is_over(api: Any, worker: Any) -> None:
    """Of this session only, though others share its lane; and none of one that is over."""
    session = (await api.create())["id"]
    path = f"/v1/sessions/{session}/levels"
    key = {"Authorization": f"Bearer {KEY}"}
    async with api.http.get(api.serving.url + path, headers=key) as answer:
        await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5)
        for name in ("another", session):
            worker.sender.send(worker.keys.lane(0), Frame(session=name, kind=Kind.AUDIO_IN, payload=LOUD))
            await worker.sender.flush()
        told = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5)
        assert json.loads(told.split(b"data: ")[1])["caller_dbfs"] == pytest.approx(-9.0, abs=0.5)
    await worker.end(session, "closed")
    assert (await api.send("GET", path)).status == 409


async def test_retention_tells_operators_that_nothing_is_kept(api: Any) -> None:
    """Where no store is configured."""
    assert (await (await api.send("GET", "/v1/retention")).json())["enabled"] is False

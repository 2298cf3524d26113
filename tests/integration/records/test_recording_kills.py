"""Recordings whose processes are killed in the midst of a call."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import groupby
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile
import yaml
from deployment import WORKER, Site, site
from recorded_calls import created_session

from providers.mock.tones import speak, spoken

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.03}}
RATE, FRAME = 16_000, 640
WAIT_S = 60.0


def environment(folder: Path) -> dict[str, str]:
    """Return the settings of a deployment that records everything."""
    settings = {
        "store": f"file://{folder}/records",
        "spool": f"{folder}/spool",
        "subject_key": "k" * 40,
        "policies": [{"id": "all", "class": "audio", "ttl": "P1D"}],
    }
    (folder / "retention.yaml").write_text(yaml.safe_dump(settings))
    return {"VOICEBACKEND_RETENTION": str(folder / "retention.yaml"), "VOICEBACKEND_AGENTS": "telephone_agents"}


async def say(running: Site, words: list[str], between: asyncio.Event, go_on: asyncio.Event) -> str:
    """Call, say the words one after the other in real time with something happening in between; return the session."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    body = {"user_id": "heard", "transport": "websocket", "agent": "parrot"}
    async with aiohttp.ClientSession(headers=headers) as http:
        created = await created_session(http, f"{running.url}/v1/sessions", body)
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            with contextlib.suppress(ConnectionError):
                for number, word in enumerate(words):
                    speech = speak(word, RATE, 0.05) + bytes(RATE * 4)
                    for at in range(0, len(speech), FRAME):
                        await socket.send_bytes(speech[at : at + FRAME].ljust(FRAME, b"\0"))
                        await asyncio.sleep(0.02)
                    if number == 0:
                        between.set()
                        await go_on.wait()
                await socket.send_json({"type": "stop"})
                async with asyncio.timeout(20):
                    async for _ in socket:
                        pass
    return str(created["id"])


async def recorded(folder: Path, session: str, parts: int = 1) -> list[np.ndarray]:
    """Return the parts of a session's recording, once they are there."""
    async with asyncio.timeout(WAIT_S):
        while len(found := sorted((folder / "records").rglob(f"{session}/recording-*.flac"))) < parts:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return [soundfile.read(path, dtype="int16")[0] for path in found]


def words_of(samples: np.ndarray, channel: int) -> str:
    """Return what was said on a channel; a tone that a slow caller let fall silent counts once."""
    said = spoken(samples[:, channel].astype("<i2").tobytes(), RATE)
    return "".join(letter for letter, _ in groupby(said))


async def test_a_worker_that_is_killed_costs_the_recording_nothing(tmp_path: Path) -> None:
    """The caller's words before and after are on it."""
    between, go_on = asyncio.Event(), asyncio.Event()
    async with site(CONFIG, workers=2, environment=environment(tmp_path)) as running:
        calling = asyncio.create_task(say(running, ["before", "after"], between, go_on), name="caller")
        await between.wait()
        (busy,) = [name for name in ("worker-0", "worker-1") if await running.sessions_on(name)]
        await running.kill(busy)
        await running.start(busy, *WORKER)
        go_on.set()
        session = await calling
        (samples,) = await recorded(tmp_path, session)
    assert words_of(samples, 0) == "beforeafter"
    assert "before" in words_of(samples, 1)


async def test_what_a_killed_control_process_had_recorded_is_stored_by_the_next(tmp_path: Path) -> None:
    """All but the last second or so."""
    between, go_on = asyncio.Event(), asyncio.Event()
    async with site(CONFIG, workers=1, environment=environment(tmp_path)) as running:
        calling = asyncio.create_task(say(running, ["before", "never"], between, go_on), name="caller")
        await between.wait()
        assert not list((tmp_path / "records").rglob("*.flac"))
        await running.kill("control")
        await running.start("control", "control")
        go_on.set()
        session = await calling
        (samples,) = await recorded(tmp_path, session)
        assert words_of(samples, 0) == "before"
        async with asyncio.timeout(WAIT_S):
            while list((tmp_path / "spool").rglob("*.pcm")):  # noqa: ASYNC110 - files tell nobody of themselves
                await asyncio.sleep(0.1)

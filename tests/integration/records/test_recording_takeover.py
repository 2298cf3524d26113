"""A worker is killed while it speaks: what the caller received, beside what the recording has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile
import yaml
from deployment import Site, site
from recorded_calls import RATE, WAIT_S, files

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.1}}
TEXT = "the canary sings at noon and it flies at midnight"
BIN_S = 0.01
NEAR_S = 0.15
"""Seconds by which a busy machine may give the caller something late."""
MOST_LOST_S = 1.0


class Ear:
    """A caller that notes when it got what, and so knows what it heard when."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._loop = socket, asyncio.get_running_loop()
        self._came: list[tuple[float, bytes]] = []
        self.enough, self.answered = asyncio.Event(), asyncio.Event()
        self._bytes = 0

    async def listen(self) -> None:
        """Take what comes until the socket closes."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._came.append((self._loop.time(), message.data))
                self._bytes += len(message.data)
                if self._bytes > RATE * 2:
                    self.enough.set()
            elif message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "audio_end":
                self.answered.set()

    def heard(self) -> np.ndarray:
        """Return the samples that were heard, from the first on: one after the other, or when they came."""
        began = self._came[0][0]
        samples = np.zeros(round((self._came[-1][0] - began + 30) * RATE), "<i2")
        end = 0
        for at, data in self._came:
            end = max(end, round((at - began) * RATE))
            samples[end : end + len(data) // 2] = np.frombuffer(data, "<i2")
            end += len(data) // 2
        return samples[:end]


async def converse(running: Site) -> tuple[str, Ear]:
    """Have the agent say something long, and kill its worker meanwhile; return session and what was heard."""
    headers = {"Authorization": f"Bearer {running.api_key}", "Prefer": "wait=10"}
    body = {"user_id": "heard", "transport": "websocket", "agent": "parrot"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.post(f"{running.url}/v1/sessions", json=body) as response:
            assert response.status == 201, await response.text()
            created = await response.json()
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            ear = Ear(socket)
            listening = asyncio.create_task(ear.listen(), name="ear")
            url = f"{running.url}/v1/sessions/{created['id']}/text"
            async with http.post(url, json={"text": TEXT}) as response:
                assert response.status == 202
            async with asyncio.timeout(WAIT_S):
                await ear.enough.wait()
                (busy,) = [name for name in ("worker-0", "worker-1") if await running.sessions_on(name)]
                await running.kill(busy)
                await ear.answered.wait()
            await asyncio.sleep(1.0)
            await socket.send_json({"type": "stop"})
            async with asyncio.timeout(WAIT_S):
                await listening
    return str(created["id"]), ear


def loud(samples: np.ndarray) -> np.ndarray:
    """Tell of each ``BIN_S`` whether something is to be heard."""
    each = round(RATE * BIN_S)
    return np.abs(samples[: len(samples) // each * each].astype(float)).reshape(-1, each).mean(axis=1) > 100


def lost_s(heard: np.ndarray, taped: np.ndarray) -> float:
    """Return the seconds that were heard and are not on tape, with both put where they fit best."""
    lag = int(np.argmax(np.correlate(taped.astype(float), heard.astype(float), "full"))) - len(heard) + 1
    near = round(NEAR_S / BIN_S)
    around = np.convolve(taped, np.ones(2 * near + 1), "same") > 0
    places = np.flatnonzero(heard) + lag
    missing = [at for at in places if not 0 <= at < len(around) or not around[at]]
    return len(missing) * BIN_S


async def test_of_what_a_killed_worker_said_the_recording_loses_a_second_at_most(tmp_path: Path) -> None:
    """The caller's gateway has it: what the caller received before and after is on the agent's channel."""
    settings = {
        "store": f"file://{tmp_path}/records",
        "spool": f"{tmp_path}/spool",
        "subject_key": "k" * 40,
        "policies": [{"id": "all", "class": "audio", "ttl": "P1D"}],
    }
    (tmp_path / "retention.yaml").write_text(yaml.safe_dump(settings))
    environment = {
        "VOICEBACKEND_RETENTION": str(tmp_path / "retention.yaml"),
        "VOICEBACKEND_AGENTS": "telephone_agents",
    }
    async with site(CONFIG, workers=2, environment=environment) as running:
        session, ear = await converse(running)
        async with asyncio.timeout(WAIT_S):
            while not (found := files(tmp_path / "records", f"{session}/recording-*.flac")):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    recording = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in found])
    heard, taped = loud(ear.heard()), loud(recording[:, 1])
    assert heard.sum() * BIN_S > 3.0  # it went on after the kill
    assert lost_s(heard, taped) <= MOST_LOST_S
    assert lost_s(taped, heard) <= MOST_LOST_S  # nor is more on it than was heard

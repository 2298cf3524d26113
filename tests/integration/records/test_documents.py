"""What is written of a call whose worker is killed while the agent speaks: when each word was heard, tools, usage."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile
import yaml
from deployment import WORKER, Site, site
from record_agents import ANSWER
from recorded_calls import created_session

from providers.mock.tones import speak

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.04}}
RATE, FRAME = 16_000, 640
WAIT_S = 60.0
SAID = "where is my parcel"
NEAR_MS = 600
"""How far a time may be off on a machine that is busy; a takeover takes longer than that."""
PRICES = {
    "currency": "EUR",
    "prices": [
        {"of": "tts", "name": "mock", "unit": "characters", "price": "0.01"},
        {"of": "model", "name": "openai/small", "unit": "input_tokens", "price": "2", "per": 1000},
    ],
}


def environment(folder: Path) -> dict[str, str]:
    """Return the settings of a deployment that keeps everything and knows prices."""
    kinds = ("audio", "transcript", "metadata", "trace", "tool_io")
    settings = {
        "store": f"file://{folder}/records",
        "spool": f"{folder}/spool",
        "subject_key": "k" * 40,
        "policies": [{"id": kind, "class": kind, "ttl": "P1D"} for kind in kinds],
    }
    (folder / "retention.yaml").write_text(yaml.safe_dump(settings))
    (folder / "prices.yaml").write_text(yaml.safe_dump(PRICES))
    return {
        "VOICEBACKEND_RETENTION": str(folder / "retention.yaml"),
        "VOICEBACKEND_PRICES": str(folder / "prices.yaml"),
        "VOICEBACKEND_AGENTS": "record_agents",
    }


class Caller:
    """Says one thing, and listens."""

    def __init__(self, running: Site, http: aiohttp.ClientSession) -> None:
        self._running, self._http = running, http
        self.session = ""
        self.speaks, self.done = asyncio.Event(), asyncio.Event()
        """A second of the agent's voice was heard; its words were noted."""
        self._heard = 0

    async def call(self, go_on: asyncio.Event) -> None:
        """Ask, wait for the end of the answer and until the test goes on, and hang up."""
        body = {"user_id": "heard", "transport": "websocket", "agent": "porter"}
        created = await created_session(self._http, f"{self._running.url}/v1/sessions", body)
        self.session = created["id"]
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with self._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            listening = asyncio.create_task(self._listen(socket), name="caller hears")
            speech = speak(SAID, RATE, 0.05)
            while not (self.done.is_set() and go_on.is_set()):
                piece, speech = speech[:FRAME], speech[FRAME:]
                await socket.send_bytes(piece.ljust(FRAME, b"\0"))
                await asyncio.sleep(0.02)
            await socket.send_json({"type": "stop"})
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(listening, WAIT_S)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._heard += len(message.data)
                if self._heard > RATE * 2:
                    self.speaks.set()
            elif message.type is aiohttp.WSMsgType.TEXT:
                told = json.loads(message.data)
                if told["type"] == "transcript" and told["role"] == "agent" and told["final"]:
                    self.done.set()


class Kept:
    """What a session left, over HTTP."""

    def __init__(self, running: Site, http: aiohttp.ClientSession, session: str) -> None:
        self._url, self._http, self._session = f"{running.url}/v1", http, session

    async def get(self, path: str, **query: str) -> tuple[int, str, bytes]:
        """Return status, type and content."""
        async with self._http.get(f"{self._url}/{path}", params=query) as response:
            return response.status, response.content_type, await response.read()

    async def ids(self, *names: str) -> dict[str, str]:
        """Return the records' ids by name, once all of these are there."""
        async with asyncio.timeout(WAIT_S):
            while True:
                _, _, body = await self.get(f"sessions/{self._session}/records")
                found = {one["name"]: one["id"] for one in json.loads(body).get("records", ())}
                if all(name in found for name in names):
                    return found
                await asyncio.sleep(0.2)

    async def read(self, record: str) -> Any:
        """Return a document."""
        _, _, body = await self.get(f"records/{record}")
        return json.loads(body)


async def called(running: Site) -> str:
    """Hold a call whose worker is killed while the agent speaks; return its session."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        caller, go_on = Caller(running, http), asyncio.Event()
        calling = asyncio.create_task(caller.call(go_on), name="caller")
        async with asyncio.timeout(WAIT_S):
            await caller.speaks.wait()
            (busy,) = [name for name in ("worker-0", "worker-1") if await running.sessions_on(name)]
            await running.kill(busy)
            await running.start(busy, *WORKER)
            go_on.set()
            await calling
    return caller.session


async def test_a_call_that_was_taken_over_is_written_down_whole_and_counted_once(tmp_path: Path) -> None:
    """Transcript with times as on the recording, captions, tools, latencies, usage and cost."""
    async with site(CONFIG, workers=2, environment=environment(tmp_path)) as running:
        session = await called(running)
        headers = {"Authorization": f"Bearer {running.api_key}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            kept = Kept(running, http, session)
            ids = await kept.ids("transcript.json", "metadata.json", "trace.json", "tools.json")
            transcript = await kept.read(ids["transcript.json"])
            await captions(kept, ids)
            a_tool(await kept.read(ids["tools.json"]))
            latencies(await kept.read(ids["trace.json"]))
            metadata = await kept.read(ids["metadata.json"])
            status, _, body = await kept.get(f"sessions/{session}")
        assert status == 200
        usage_and_cost(json.loads(body))
        usage_and_cost(metadata)
        user, agent = transcript["segments"]
        assert (user["role"], user["text"], agent["role"], agent["text"]) == ("user", SAID, "agent", ANSWER)
        assert " ".join(clause["text"] for clause in agent["clauses"]) == ANSWER
        assert not agent["interrupted"]
        (path,) = await recording(tmp_path, session)
        as_recorded(path, user, agent)
        assert not [line for _, line in running.log if "on its way" in line or "parcel" in line]


async def captions(kept: Kept, ids: dict[str, str]) -> None:
    """The transcript is to be had as captions, in no other form; no other record is."""
    status, kind, body = await kept.get(f"records/{ids['transcript.json']}", format="vtt")
    assert (status, kind) == (200, "text/vtt")
    assert body.decode().startswith("WEBVTT\n\n00:00:0")
    assert f"<v Caller>{SAID}" in body.decode()
    assert (await kept.get(f"records/{ids['transcript.json']}", format="srt"))[0] == 400
    assert (await kept.get(f"records/{ids['trace.json']}", format="vtt"))[0] == 415


def a_tool(found: dict[str, Any]) -> None:
    """What it was asked and answered is there, of each attempt that was made."""
    for call in found["calls"]:
        assert (call["name"], call["arguments"], call["result"]) == ("parcel", {"number": 42}, {"where": "on its way"})
        assert 0 < call["start_ms"] <= call["end_ms"]
    assert found["calls"]


def latencies(trace: dict[str, Any]) -> None:
    """The turn's stages are told, the takeover too, and not a word."""
    (turn,) = trace["turns"]
    assert {"end_of_turn", "stt_final", "agent_ttft", "tts_ttfb", "e2e"} <= set(turn["latency_ms"])
    assert len(trace["takeovers"]) == 1
    assert "parcel" not in json.dumps(trace)
    assert trace["usage"]["tts"] == {"mock": {"characters": characters()}}


def characters() -> int:
    """Return how many the voice was given: without the spaces between clauses."""
    return len(ANSWER) - ANSWER.count(". ")


def usage_and_cost(shown: dict[str, Any]) -> None:
    """Nothing counts twice although two workers spoke; what has no price is told."""
    usage, cost = shown["usage"], shown["cost"]
    assert usage["tts"] == {"mock": {"characters": characters()}}
    assert 0.5 <= usage["stt"]["mock"]["seconds"] <= 5
    assert usage["call"]["websocket"]["seconds"] > 3
    asked = usage["model"]["openai/small"]
    assert asked["input_tokens"] >= 1000  # more where it was asked on a guess, too
    expected = Decimal(characters()) / 100 + Decimal(str(asked["input_tokens"])) / 500
    assert (cost["currency"], Decimal(cost["total"])) == ("EUR", expected)
    assert {"of": "stt", "name": "mock", "unit": "seconds"} in cost["unpriced"]


async def recording(folder: Path, session: str) -> list[Path]:
    """Return the parts of a session's recording, once they are there."""
    async with asyncio.timeout(WAIT_S):
        while not (found := sorted((folder / "records").rglob(f"{session}/recording-*.flac"))):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found


def as_recorded(path: Path, user: dict[str, Any], agent: dict[str, Any]) -> None:
    """Voices begin and end on the recording where the transcript says."""
    samples, rate = soundfile.read(path, dtype="int16")
    begins_ms = int("".join(filter(str.isdigit, path.stem)))
    for channel, segment in enumerate((user, agent)):
        sounding = np.flatnonzero(np.abs(samples[:, channel]) > 200) * 1000 / rate + begins_ms
        assert abs(sounding[0] - segment["start_ms"]) <= NEAR_MS, (channel, sounding[0], segment["start_ms"])
        assert abs(sounding[-1] - segment["end_ms"]) <= NEAR_MS, (channel, sounding[-1], segment["end_ms"])

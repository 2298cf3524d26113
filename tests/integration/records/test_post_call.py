"""What a call leaves, from its last word to its receipt, on real processes."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
import soundfile
import yaml
from deployment import Site, site
from recorded_calls import created_session
from webhook_receiver import receiving

from providers.mock.tones import speak, spoken

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.03}}
WAIT_S = 60.0
RATE, FRAME = 16_000, 640
SAID = "the canary sings at noon"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Site, Path]]:
    """Give a deployment that keeps transcripts for a day, and metadata for some seconds."""
    folder: Path = tmp_path_factory.mktemp("retention")
    policies = [
        {"id": "transcripts", "class": "transcript", "ttl": "P1D"},
        {"id": "metadata", "class": "metadata", "ttl": 20},
        {"id": "none", "class": "trace", "store": "none"},
        {"id": "audio", "class": "audio", "agent": "parrot", "ttl": "P1D"},
    ]
    store = folder / "records"
    settings = {"store": f"file://{store}", "subject_key": "k" * 40, "policies": policies}
    settings["spool"] = str(folder / "spool")
    (folder / "retention.yaml").write_text(yaml.safe_dump(settings))
    environment = {
        "VOICEBACKEND_RETENTION": str(folder / "retention.yaml"),
        "VOICEBACKEND_AGENTS": "telephone_agents",
        "VOICEBACKEND_PRIVATE_WEBHOOKS": "1",
    }
    async with site(CONFIG, workers=1, environment=environment) as running:
        await running.start("beat", "celery", "-A", "control", "beat")
        yield running, store


async def until(found: Callable[[], Any]) -> Any:
    """Return what is found, once it is."""
    async with asyncio.timeout(WAIT_S):
        while not (value := found()):  # noqa: ASYNC110 - files tell nobody of themselves
            await asyncio.sleep(0.1)
    return value


def files(store: Path, pattern: str) -> list[Path]:
    """Return the objects like this; the store writes beside an object before it is one."""
    return [path for path in store.rglob(pattern) if path.is_file() and "#" not in path.name]


async def held(running: Site, http: aiohttp.ClientSession) -> str:
    """Hold a conversation of one turn, and return its session."""
    body = {"user_id": "canary@example.com", "transport": "websocket", "agent": "parrot"}
    created = await created_session(http, f"{running.url}/v1/sessions", body)
    session = f"{running.url}/v1/sessions/{created['id']}"
    protocols = ("voicebackend.v1", f"token.{created['token']}")
    async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
        await socket.send_json({"type": "start", "sample_rate": 16_000})
        assert json.loads((await socket.receive(timeout=10)).data)["type"] == "ready"
        async with http.post(f"{session}/text", json={"text": SAID}) as response:
            assert response.status == 202
        async with asyncio.timeout(20):
            async for message in socket:
                told = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if told.get("type") == "transcript" and told["role"] == "agent" and told["final"]:
                    break
        await socket.send_json({"type": "stop"})
        async with asyncio.timeout(20):
            async for _ in socket:
                pass
    return str(created["id"])


async def test_a_call_leaves_what_its_policies_keep_and_it_goes_when_it_is_due(running: tuple[Site, Path]) -> None:
    """Its transcript stays for a day; its metadata goes within seconds, with a receipt; its trace is never written."""
    here, store = running
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {here.api_key}"}) as http:
        session = await held(here, http)
    (metadata,) = await until(lambda: files(store, f"{session}/metadata.json"))
    assert json.loads(metadata.read_text())["user_id"] == "canary@example.com"
    (transcript,) = files(store, f"{session}/transcript.json")
    document = json.loads(transcript.read_text())
    assert document["session"] == session
    assert [(one["role"], one["text"]) for one in document["segments"]] == [("user", SAID), ("agent", SAID)]
    await until(lambda: not files(store, f"{session}/metadata.json"))
    assert files(store, f"{session}/transcript.json") == [transcript]
    assert not files(store, "trace.json")
    assert not [line for _, line in here.log if SAID in line or "canary@example.com" in line]


async def test_web_apps_are_told_of_what_is_kept(running: tuple[Site, Path]) -> None:
    """By the records' ids, which open them; not by a word of what was said."""
    here, _ = running
    wanted = ["transcript.ready", "recording.ready"]
    headers = {"Authorization": f"Bearer {here.api_key}"}
    async with receiving() as receiver, aiohttp.ClientSession(headers=headers) as http:
        body = {"url": receiver.url, "events": wanted}
        status, made = await ask(http, "POST", f"{here.url}/v1/webhooks", json=body)
        assert status == 201
        receiver.secret = made["secret"]
        session = await held(here, http)
        events = await receiver.until(wanted, 2 * WAIT_S)
        assert {event.session_id for event in events} == {session}
        assert SAID not in str(events)
        for event in events:
            for record in event.data["records"]:
                async with http.get(f"{here.url}/v1/records/{record}") as response:
                    assert response.status == 200
        async with http.delete(f"{here.url}/v1/webhooks/{made['id']}") as response:
            assert response.status == 204


async def ask(http: aiohttp.ClientSession, method: str, url: str, **more: Any) -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    async with http.request(method, url, **more) as response:
        return response.status, await response.json() if response.content_type == "application/json" else None


async def test_a_person_is_erased_but_for_what_a_hold_keeps_until_it_is_lifted(running: tuple[Site, Path]) -> None:
    """The transcript can be read until then; afterwards nothing of it is anywhere, and its receipt says why."""
    here, store = running
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {here.api_key}"}) as http:
        session = await held(here, http)
        path = (await until(lambda: list(store.rglob(f"{session}/transcript.json"))))[0]
        url = f"{here.url}/v1"
        transcript = await listed_as(http, f"{url}/sessions/{session}/records", "transcript.json")
        assert (transcript["size"], transcript["policy"]) == (path.stat().st_size, "transcripts")
        async with http.get(f"{url}/records/{transcript['id']}", headers={"Range": "bytes=2-9"}) as response:
            assert (response.status, await response.read()) == (206, path.read_bytes()[2:10])
            assert response.headers["Content-Range"] == f"bytes 2-9/{transcript['size']}"
        async with http.get(f"{url}/records/{transcript['id']}", headers={"Range": "bytes=99999-"}) as response:
            assert response.status == 416
        assert (await ask(http, "GET", f"{url}/records/{'0' * 32}"))[0] == 404
        assert (await ask(http, "POST", f"{url}/holds", json={"reason": "x"}))[0] == 400
        async with http.post(f"{url}/exports", json={"subject": "canary@example.com"}) as response:
            archive = zipfile.ZipFile(io.BytesIO(await response.read()))
        assert archive.read(f"{session}/transcript/transcript.json") == path.read_bytes()
        assert f"{session}/transcript/transcript.json" in archive.read("index.json").decode()
        status, hold = await ask(http, "POST", f"{url}/holds", json={"reason": "lawsuit", "session": session})
        assert (status, hold["too_late"]) == (201, 0)
        assert hold["held"] >= 1
        status, asked = await ask(http, "POST", f"{url}/erasures", json={"subject": "canary@example.com"})
        assert status == 202
        await until_state(http, f"{url}/erasures/{asked['id']}", "partial")
        assert path.exists()
        assert (await ask(http, "GET", f"{url}/sessions/{session}"))[0] == 200
        assert [one["id"] for one in (await ask(http, "GET", f"{url}/holds"))[1]["holds"]] == [hold["id"]]
        assert (await ask(http, "DELETE", f"{url}/holds/{hold['id']}"))[0] == 204
        assert (await ask(http, "DELETE", f"{url}/holds/{hold['id']}"))[0] == 404
        done = await until_state(http, f"{url}/erasures/{asked['id']}", "done")
        assert (done["left"], done["held"], done["live"]) == (0, 0, 0)
        assert done["sessions"] >= 1
        assert not path.exists()
        assert (await ask(http, "GET", f"{url}/sessions/{session}"))[0] == 404
        assert (await ask(http, "GET", f"{url}/sessions/{session}/records"))[0] == 404
        assert (await ask(http, "GET", f"{url}/erasures/{'0' * 32}"))[0] == 404
    found = [path for path in files(store, "*") if b"canary" in path.read_bytes()]
    assert found == []
    assert not [line for _, line in here.log if SAID in line or "canary@example.com" in line]


async def listed_as(http: aiohttp.ClientSession, url: str, name: str) -> dict[str, Any]:
    """Return a record once it is listed under its name."""
    async with asyncio.timeout(WAIT_S):
        while True:
            _, found = await ask(http, "GET", url)
            for one in found.get("records", ()):
                if one["name"] == name:
                    return dict(one)
            await asyncio.sleep(0.1)


async def until_state(http: aiohttp.ClientSession, url: str, state: str) -> dict[str, Any]:
    """Return what an erasure is once it has come this far."""
    async with asyncio.timeout(WAIT_S):
        while True:
            _, found = await ask(http, "GET", url)
            if found["state"] == state:
                return dict(found)
            await asyncio.sleep(0.2)


async def test_a_call_is_recorded_as_it_was_heard(running: tuple[Site, Path]) -> None:
    """The caller left, the agent right, in the store once the call is over; and on disk while it goes on."""
    here, store = running
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {here.api_key}"}) as http:
        body = {"user_id": "heard", "transport": "websocket", "agent": "parrot"}
        created = await created_session(http, f"{here.url}/v1/sessions", body)
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            heard = await converse(socket, speak("hello agent", RATE, 0.05))
            assert spoken(heard, RATE) == "hello agent"
            assert list(store.parent.rglob("*.pcm"))
            await socket.send_json({"type": "stop"})
            async with asyncio.timeout(20):
                async for _ in socket:
                    pass
    path = (await until(lambda: list(store.rglob(f"{created['id']}/recording-*.flac"))))[0]
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000
    left, right = (samples[:, channel].astype("<i2").tobytes() for channel in (0, 1))
    assert (squeezed(spoken(left, rate)), squeezed(spoken(right, rate))) == ("helo agent", "helo agent")
    assert np.flatnonzero(samples[:, 1])[0] > np.flatnonzero(samples[:, 0])[-1]  # who answers speaks later
    await until(lambda: not list(store.parent.rglob("*.pcm")))


def squeezed(said: str) -> str:
    """Return the letters without repetitions: a caller who is slow lets a tone fall silent and begin again."""
    return "".join(letter for letter, _ in groupby(said))


async def converse(socket: aiohttp.ClientWebSocketResponse, speech: bytes) -> bytes:
    """Say this and then nothing, in real time; return what was heard once the agent has finished."""
    heard, done = bytearray(), asyncio.Event()

    async def listen() -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                heard.extend(message.data)
            elif json.loads(message.data)["type"] == "audio_end":
                done.set()

    listening = asyncio.create_task(listen(), name="caller hears")
    try:
        async with asyncio.timeout(WAIT_S):
            while not done.is_set():
                piece, speech = speech[:FRAME], speech[FRAME:]
                await socket.send_bytes(piece.ljust(FRAME, b"\0"))
                await asyncio.sleep(0.02)
            for _ in range(50):  # until what was sent is played
                await socket.send_bytes(bytes(FRAME))
                await asyncio.sleep(0.02)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return bytes(heard)

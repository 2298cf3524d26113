"""A sentence that was spoken, keys that were pressed and who the caller was: after an erasure, nowhere to be found."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from canaries import hits
from deployment import Site, site
from otlp_collector import Collector
from recorded_calls import created_session
from redis.asyncio import Redis
from redis_servers import PERSISTENT, RedisProcess
from residue import everything, traces

from control.pseudonym import Pseudonyms
from providers.mock.tones import speak
from voicebackend.publisher import publisher_for
from voicebackend.settings import Deployment
from voicebackend.tasks import SESSIONS_OPEN

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(400),
    pytest.mark.own_redis("its files are searched for what was said"),
    pytest.mark.flaky(reruns=0),  # what is found once in a while is there
]
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.03}}
SECRET = "the-deployments-secret-0123456789-0123456789"
SENTENCE, USER, CARD = "the canary sings at noon", "canary-7@example.com", "4929130086512347"
WRITTEN, NUMBER = "+1 (202) 555-0111", "+12025550111"
"""The caller's number, as the application wrote it, and as an operator asks for it."""
PLAIN = ("--slowlog-log-slower-than", "0", "--rdbcompression", "no")
"""Every command is noted, and what is written down can be read."""
RATE, FRAME = 16_000, 640
WAIT_S = 120.0
CLASSES = ("transcript", "metadata", "dtmf", "tool_io", "trace", "audio")


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[tuple[Site, Redis, Path, Collector]]:
    """Give a deployment that keeps everything, on a Redis that writes down every command, and what gets its traces."""
    policies = [{"id": kind, "class": kind, "ttl": "P30D"} for kind in CLASSES]
    store = tmp_path / "records"
    settings = {"store": f"file://{store}", "spool": f"{tmp_path}/spool", "subject_key": "k" * 40, "policies": policies}
    (tmp_path / "retention.yaml").write_text(yaml.safe_dump(settings))
    server = RedisProcess(tmp_path / "redis", *PERSISTENT, *PLAIN)
    server.start()
    urls = {"state_url": server.url, "audio_url": server.url, "broker_url": server.url}
    environment = {
        "VOICEBACKEND_RETENTION": str(tmp_path / "retention.yaml"),
        "VOICEBACKEND_AGENTS": "record_agents",
        "VOICEBACKEND_TOKEN_SECRET": SECRET,
        "VOICEBACKEND_LOG_LEVEL": "DEBUG",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    redis = Redis.from_url(server.url)
    try:
        async with Collector() as collector:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
            async with site(CONFIG, workers=1, redis=urls, environment=environment) as running:
                await running.start("beat", "celery", "-A", "control", "beat")
                yield running, redis, store, collector
    finally:
        await redis.aclose()
        server.kill()


async def call(running: Site, http: aiohttp.ClientSession) -> str:
    """Hold a call in which everything is said and typed; return its session."""
    body = {"user_id": USER, "transport": "websocket", "agent": "teller", "metadata": {"to": WRITTEN}}
    created = await created_session(http, f"{running.url}/v1/sessions", body)
    protocols = ("voicebackend.v1", f"token.{created['token']}")
    async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
        await socket.send_json({"type": "start", "sample_rate": RATE})
        heard = asyncio.create_task(agent_said(socket), name="caller hears")
        speech = speak(SENTENCE, RATE, 0.05) + bytes(RATE * 2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for at in range(0, len(speech), FRAME):
            await socket.send_bytes(speech[at : at + FRAME].ljust(FRAME, b"\0"))
            await asyncio.sleep(began + (at + FRAME) / (2 * RATE) - loop.time())  # a busy machine catches up
        assert SENTENCE in await asyncio.wait_for(heard, 60)
        for digit in CARD:
            await socket.send_json({"type": "dtmf", "digit": digit})
        await socket.send_json({"type": "stop"})
        async with asyncio.timeout(60):
            async for _ in socket:
                pass
    return str(created["id"])


async def agent_said(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Return the agent's first whole answer."""
    async for message in socket:
        told = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
        if told.get("type") == "transcript" and told["role"] == "agent" and told["final"]:
            return str(told["text"])
    raise AssertionError("the socket closed")


def digits_of(haystack: bytes) -> str:
    """Return the keys that a document or a log tells, one after the other."""
    return "".join(one["digit"] for one in json.loads(haystack)["keys"])


async def test_after_an_erasure_nothing_is_left_anywhere(kept: tuple[Site, Redis, Path, Collector]) -> None:
    """Redis' keys, queues, slow log, append-only file and snapshot, store, spool, logs and traces; receipts tell it.

    Neither after a hold that kept all of it was lifted.
    """
    running, redis, store, collector = kept
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.api_key}"}) as http:
        session = await call(running, http)
        names = {"transcript.json", "metadata.json", "dtmf.json", "tools.json", "trace.json"}
        await until(lambda: names <= {path.name for path in store.rglob(f"{session}/*")})
        await until(lambda: list(store.rglob(f"{session}/recording-*.flac")))
        (dtmf,) = store.rglob(f"{session}/dtmf.json")
        assert digits_of(dtmf.read_bytes()) == CARD  # what is planted is there
        (tools,) = store.rglob(f"{session}/tools.json")
        assert SENTENCE.encode() in tools.read_bytes()
        await buried(redis)
        dump = await snapshot(redis)
        for planted in (SENTENCE, USER, WRITTEN):
            assert planted.encode() in dump.read_bytes()
        await until(lambda: any(span.name == "backend.session" for span in collector.spans))
        hold = await posted(http, f"{running.url}/v1/holds", {"subject": USER, "reason": "case 12"})
        asked = await posted(http, f"{running.url}/v1/erasures", {"subject": NUMBER})
        erasure = f"{running.url}/v1/erasures/{asked['id']}"
        await comes_to(http, erasure, "partial")
        assert SENTENCE.encode() in await everything(redis)
        assert names <= {path.name for path in store.rglob(f"{session}/*")}
        async with http.delete(f"{running.url}/v1/holds/{hold['id']}") as response:
            assert response.status == 204
        assert (await comes_to(http, erasure, "done"))["notes_cleared"]
    await rewritten(redis)
    await until(lambda: SENTENCE.encode() not in dump.read_bytes())
    files = [path for folder in (store, store.parent / "spool") for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if session in str(path)] == []
    left = {
        "redis": await everything(redis),
        "files": b"\n".join(path.read_bytes() for path in files),
        "logs": "\n".join(line for _, line in running.log).encode(),
        "spans": bytes(collector.raw),
    }
    assert hits((SENTENCE, USER, CARD, WRITTEN, NUMBER[1:]), left) == []
    assert [trace for text in left.values() for trace in traces(text, CARD)] == []
    assert b'"digit"' not in left["redis"]
    assert session.encode() in left["logs"]  # they are those of this call
    assert_found_by_who_knows_them(left)
    receipts = [row[b"r"].decode() for _, row in await rows(redis)]
    assert sorted(json.loads(line)["data_class"] for line in receipts) == [
        *("audio", "dtmf", "metadata", "tool_io", "trace", "transcript")
    ]
    assert {json.loads(line)["reason"] for line in receipts} == {"erasure"}


def assert_found_by_who_knows_them(left: Mapping[str, bytes]) -> None:
    """Spans have the user's pseudonym, and nothing else has it: no record is left that leads from it to a person."""
    name = Pseudonyms.by(SECRET).of("default", USER).encode()
    assert [where for where, text in left.items() if name in text] == ["spans"]


async def buried(redis: Redis) -> None:
    """Return once an application's task for the caller is a dead letter: there is no such agent."""
    port = redis.connection_pool.connection_kwargs["port"]
    publisher = publisher_for(Deployment().with_redis(f"redis://127.0.0.1:{port}/0"))
    try:
        await publisher.publish(SESSIONS_OPEN, session_id=secrets.token_hex(16), user_id=USER, agent="nobody's")
    finally:
        await publisher.aclose()
    async with asyncio.timeout(WAIT_S):
        while not await redis.xlen("vb:dead-letters"):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.1)


async def snapshot(redis: Redis) -> Path:
    """Have Redis make a snapshot, as an operator may have it; return the file."""
    settings: Any = await redis.config_get("dir")
    dump = Path(settings["dir"]) / "dump.rdb"
    await redis.bgsave()
    await until(dump.exists)
    return dump


async def until(found: Callable[[], Any]) -> None:
    """Return once something is found."""
    async with asyncio.timeout(WAIT_S):
        while not found():  # noqa: ASYNC110 - files tell nobody of themselves
            await asyncio.sleep(0.1)


async def posted(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for something; return the answer."""
    async with http.post(url, json=body) as response:
        assert response.ok, await response.text()
        return dict(await response.json())


async def comes_to(http: aiohttp.ClientSession, url: str, state: str) -> dict[str, Any]:
    """Return an erasure once it is in a state."""
    async with asyncio.timeout(WAIT_S):
        while True:
            async with http.get(url) as response:
                if (told := await response.json())["state"] == state:
                    return dict(told)
            await asyncio.sleep(0.2)


async def rows(redis: Redis) -> list[Any]:
    """Return the receipts that are not sealed yet."""
    found: Any = await redis.xrange("vb:records:receipts")
    return list(found)


async def rewritten(redis: Redis) -> None:
    """Return once Redis has written its append-only file anew."""
    async with asyncio.timeout(WAIT_S):
        while True:
            about: Any = await redis.info("persistence")
            if not about["aof_rewrite_in_progress"] and not about["aof_rewrite_scheduled"]:
                return
            await asyncio.sleep(0.1)

"""A control process in the test's own loop, on a real Redis, with a stand-in for the worker behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.service import Serving, serve
from control.sessions.store import SessionStore
from voicebackend import channel
from voicebackend._background import Background
from voicebackend._redis import connect
from voicebackend.config import BackendConfig
from voicebackend.session import SessionState
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.tasks import SESSIONS_CLOSE, Task

KEY = "test-key-0123456789"
OTHER_KEY = "other-key-0123456789"
LANE = 0
CAPABILITIES = {
    "mock": {
        "transports": ["telephony", "websocket"],
        "pipelines": ["s2s", "stt_tts"],
        "own_pipeline": False,
        "uses_agent": True,
        "dtmf": True,
        "text_injection": False,
    },
    "remote": {
        "transports": ["websocket"],
        "pipelines": ["stt_tts"],
        "own_pipeline": True,
        "uses_agent": False,
        "dtmf": False,
        "text_injection": False,
    },
    "rooms": {
        "transports": ["webrtc"],
        "pipelines": ["s2s", "stt_tts"],
        "own_pipeline": False,
        "uses_agent": True,
        "dtmf": True,
        "text_injection": False,
    },
}
SETTINGS = {"properties": {"api_key": {}, "room": {}}, "additionalProperties": False}
"""The schema of what the provider ``mock`` can be told."""


@pytest.fixture(name="until")
def _until() -> Callable[..., Awaitable[None]]:
    """Give :func:`until`."""
    return until


async def until(condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 5.0) -> None:
    """Return once the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert time.monotonic() < deadline, "it did not come to be in time"
        await asyncio.sleep(0.01)


@dataclass
class FakeWorker:
    """Announces itself, holds one lane, brings sessions to ready, answers callers, and remembers what it is told."""

    redis: Redis
    audio: Redis
    deployment: Deployment
    frames: list[Frame] = field(default_factory=list)
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    places: bool = True
    """Bring sessions to ready as they are started."""
    fails_with: str = ""
    """Or fail them with this code."""
    reports: bool = True
    """Else a failure stands in the log alone, as before a worker's report has come."""
    answers: bool = True
    """Greet whoever attaches."""
    epoch: int = 5

    def __post_init__(self) -> None:
        self.keys = self.deployment.keys
        self.store = SessionStore(self.redis, self.keys)
        self.sender = channel.Sender(self.audio)
        self.attachments: dict[str, dict[str, Any]] = {}
        self.started: set[str] = set()
        self._seq = 0

    async def announce(self, *, slots_free: int = 10, slots_total: int = 10, draining: bool = False) -> None:
        """Write what a worker writes about itself."""
        providers = {name: {"capabilities": can} for name, can in CAPABILITIES.items()}
        offers = [{"name": name, "config_schema": SETTINGS, **offer} for name, offer in providers.items()]
        engines = [{"name": "ear", "capabilities": {"remote": True}, "install": "pip install ear", "unavailable": "x"}]
        await self.redis.set(self.keys.catalogue("c1"), json.dumps({"provider": offers, "stt": engines}), ex=60)
        said: dict[Any, Any] = {
            "id": "w1",
            "slots_total": slots_total,
            "slots_free": slots_free,
            "lanes": json.dumps({LANE: slots_total}),
            "providers": json.dumps(providers),
            "provider": "mock",
            "draining": str(int(draining)),
            "config_version": 0,
            "catalogue": "c1",
            "health": json.dumps({"mock": "degraded"}),
            "seen_ms": round(time.time() * 1000),
        }
        await self.redis.hset(self.keys.worker("w1"), mapping=said)
        await self.redis.expire(self.keys.worker("w1"), 60)
        await self.redis.set(self.keys.lease(LANE), f"w1:{self.epoch}", ex=60)
        await self.redis.sadd(self.keys.worker_lanes("w1"), LANE)
        await self.redis.expire(self.keys.worker_lanes("w1"), 60)
        await self.redis.zadd(self.keys.workers(), {"w1": time.time() + 60})
        await self.redis.expire(self.keys.workers(), 60)

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Stand in for the tasks: end what is closed."""
        self.published.append((task.name, arguments))
        if task is SESSIONS_CLOSE:
            await self.end(arguments["session_id"], arguments["reason"])

    async def start(self, session: str) -> None:
        """Do what is wanted of a session that is started."""
        if self.fails_with:
            await self.fail(session)
        elif self.places:
            await self.place(session)
        self.started.add(session)

    async def place(self, session: str) -> None:
        """Bring a session to ready."""
        await self.store.append_log(session, {"type": "session", "state": "ready"})
        await self.store.move(session, SessionState.READY)

    async def fail(self, session: str) -> None:
        """Fail a session at its start."""
        await self.store.append_log(session, {"type": "session", "state": "failed", "reason": self.fails_with})
        if self.reports:
            await self.store.move(session, SessionState.FAILED, reason=self.fails_with)

    async def end(self, session: str, reason: str) -> None:
        """End a session as a worker does."""
        self.event(session, {"type": "ended", "reason": reason})
        await self.store.append_log(session, {"type": "session", "state": "ended", "reason": reason})
        await self.store.append_log(session, {"type": "ended", "reason": reason})
        await self.store.move(session, SessionState.ENDED, reason=reason)

    async def aclose(self) -> None:
        """Nothing to release."""

    async def work(self, reader: channel.Reader) -> None:
        """Read the lane until cancelled."""
        while True:
            try:
                for frame in await reader.frames(block_ms=200):
                    self._take(frame)
                    if frame.kind is Kind.START:
                        await self.start(frame.session)
            except (RedisError, OSError):  # as a worker does: it reads on where it was
                await asyncio.sleep(0.05)

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame.kind is Kind.ATTACH and self.answers:
            self.attachments[frame.session] = frame.json()
            self.event(frame.session, {"type": "state", "state": "listening"})

    def event(self, session: str, said: Mapping[str, Any], *, epoch: int | None = None) -> None:
        """Send a text message to a session's caller."""
        self._send(session, Kind.EVENT, json_payload(said), int(said.get("turn", 0)), epoch)

    def say(self, session: str, turn: int, pcm: bytes, *, epoch: int | None = None) -> None:
        """Send audio to a session's caller, 20 ms at 16 kHz a frame."""
        for at in range(0, len(pcm), 640):
            self._send(session, Kind.AUDIO_OUT, pcm[at : at + 640], turn, epoch)

    def _send(self, session: str, kind: Kind, payload: bytes, turn: int, epoch: int | None) -> None:
        if session not in self.attachments:
            return
        self._seq += 1
        stream = self.keys.inbox(self.attachments[session]["inbox"])
        frame = Frame(session=session, kind=kind, payload=payload, turn=turn, seq=self._seq, epoch=epoch or self.epoch)
        self.sender.send(stream, frame)

    def heard(self, session: str, kind: Kind) -> list[Frame]:
        """Return the frames of a kind that came for a session."""
        return [frame for frame in self.frames if frame.session == session and frame.kind is kind]


@pytest.fixture
async def worker(redis: Redis, audio: Redis, deployment: Deployment) -> AsyncIterator[FakeWorker]:
    """Give a worker's stand-in that is announced and reads its lane."""
    fake = FakeWorker(redis, audio, deployment)
    await fake.announce()
    blocking = connect(deployment.audio_url, timeout_s=None, max_connections=1)
    reader, stream, background = channel.Reader(blocking), fake.keys.lane(LANE), Background()
    reader.add(stream, await channel.create(audio, stream))
    background.start(fake.work(reader), name="fake worker")
    background.start(fake.sender.run(), name="fake worker's sender")
    yield fake
    await background.aclose()
    await blocking.aclose()


@pytest.fixture
def config() -> BackendConfig:
    """Give a configuration that control accepts."""
    return BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")


@dataclass
class Api:
    """A client of the running API."""

    serving: Serving
    http: aiohttp.ClientSession
    worker: FakeWorker

    async def send(self, method: str, path: str, *, key: str | None = KEY, **options: Any) -> aiohttp.ClientResponse:
        """Send a request with an API key; the body is read already."""
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
        async with self.http.request(method, self.serving.url + path, headers=headers, **options) as answer:
            await answer.read()
            return answer

    async def problem(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """Send a request that fails; return the status and the code."""
        answer = await self.send(method, path, **options)
        body = await answer.json(content_type="application/problem+json")
        assert body["status"] == answer.status
        assert body["type"].endswith(body["code"])
        return answer.status, body["code"]

    async def create(self, **changes: Any) -> dict[str, Any]:
        """Create a session and return what the API says of it, once the worker has done with it what it does."""
        body = {"user_id": "u1", "transport": "websocket", "agent": "demo", **changes}
        answer = await self.send("POST", "/v1/sessions", json=body)
        assert answer.status == 201, await answer.text()
        created = dict(await answer.json())
        if created["state"] == SessionState.STARTING:
            await until(lambda: created["id"] in self.worker.started)
        return created

    def media(self, created: Mapping[str, Any], *, token: str | None = None) -> Any:
        """Open a caller's socket with the session's token, or another; an empty one offers none."""
        token = created["token"] if token is None else token
        protocols = ("voicebackend.v1", f"token.{token}") if token else ("voicebackend.v1",)
        return self.http.ws_connect(created["connect_url"], protocols=protocols, max_msg_size=0)


@pytest.fixture
async def start(
    deployment: Deployment, config: BackendConfig, worker: FakeWorker
) -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    """Give a function that starts control, with changes to its configuration or deployment, and returns a client."""
    async with AsyncExitStack() as stack:

        async def begin(*, deploy: Deployment = deployment, **changes: Any) -> Api:
            wanted = config.with_fields(**changes)
            serving = await stack.enter_async_context(serve(wanted, deploy, publisher=worker))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Api(serving, http, worker)

        yield begin


@pytest.fixture
async def api(start: Callable[..., Awaitable[Api]]) -> Api:
    """Give a client of a running control process."""
    return await start()

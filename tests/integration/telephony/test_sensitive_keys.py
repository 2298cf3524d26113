"""A card number typed in a call, by websocket and by telephone: the agent's code has it, and nothing else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from carrier_call import TwilioCall
from deployment import WORKER, Site, site
from keypad_agents import CARD
from redis.asyncio import Redis
from redis_servers import PERSISTENT, RedisProcess
from residue import everything, keys_told, monitored, traces

from providers.mock.tones import speak

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
    pytest.mark.own_redis("its files are searched for what was said"),
]
NUMBER = "6789869779869768"
"""No part of it is a port, and few are anything else."""
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.05}}
RATE = 16_000
WAIT_S = 30.0


class Phone(Protocol):
    """A caller with keys."""

    async def say(self, text: str) -> None:
        """Speak."""

    async def press(self, keys: str) -> None:
        """Press keys, one after the other."""


class Web:
    """A caller at a websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, text: str) -> None:
        """Speak in real time, and be silent for a moment."""
        pcm = speak(text, RATE, 0.05) + bytes(RATE)
        for at in range(0, len(pcm), 1280):
            await self._socket.send_bytes(pcm[at : at + 1280])
            await asyncio.sleep(0.04)

    async def press(self, keys: str) -> None:
        """Press keys."""
        for key in keys:
            await self._socket.send_json({"type": "dtmf", "digit": key})
            await asyncio.sleep(0.1)


class Telephone:
    """A caller whose call a carrier streams."""

    def __init__(self, call: TwilioCall) -> None:
        self._call = call

    async def say(self, text: str) -> None:
        """Speak; the carrier streams it in real time."""
        self._call.say(text)

    async def press(self, keys: str) -> None:
        """Press keys."""
        for key in keys:
            await self._call.press(key)
            await asyncio.sleep(0.1)


class Deployed:
    """A deployment with a Redis that remembers everything."""

    def __init__(self, running: Site, redis: Redis, url: str) -> None:
        self.site, self.redis, self.url = running, redis, url
        self.http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {running.api_key}"})

    @property
    def workers(self) -> list[str]:
        """The names of its streaming workers."""
        return [name for name in self.site.processes if name.startswith("worker")]

    async def created(self, transport: str, agent: str) -> dict[str, Any]:
        """Return a session that is ready, with a token."""
        body = {"user_id": "u", "transport": transport, "agent": agent}
        async with self.http.post(f"{self.site.url}/v1/sessions", json=body, headers={"Prefer": "wait=8"}) as answer:
            assert answer.status == 201, await answer.text()
            created = dict(await answer.json())
        async with self.http.post(f"{self.site.url}/v1/sessions/{created['id']}/token") as answer:
            return {**created, **await answer.json()}

    @asynccontextmanager
    async def calling(self, transport: str, agent: str) -> AsyncIterator[tuple[Phone, str]]:
        """Hold a call."""
        created = await self.created(transport, agent)
        if transport == "telephony":
            async with self.http.ws_connect(f"{self.site.url}/v1/telephony/twilio/stream/{created['id']}") as socket:
                call = TwilioCall(socket, created["token"])
                running = asyncio.create_task(call.run(), name="carrier")
                yield Telephone(call), created["id"]
                await call.hang_up()
                await asyncio.wait({running}, timeout=WAIT_S)
                running.cancel()
        else:
            protocols = ("voicebackend.v1", f"token.{created['token']}")
            async with self.http.ws_connect(created["connect_url"], protocols=protocols) as socket:
                await socket.send_json({"type": "start", "sample_rate": RATE})
                draining = asyncio.create_task(_drained(socket), name="what comes")
                yield Web(socket), created["id"]
                await socket.send_json({"type": "stop"})
                await asyncio.wait({draining}, timeout=WAIT_S)
                draining.cancel()

    async def log_of(self, session: str) -> list[dict[str, Any]]:
        """Return what the session's log has so far."""
        entries: Any = await self.redis.xrange(f"vb:session:{session}:log")
        return [json.loads(fields[b"e"]) for _, fields in entries]

    async def told(self, session: str, **wanted: Any) -> dict[str, Any]:
        """Return the first entry of the log with these values, once it is there."""
        found: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(WAIT_S):
                while not (found := [e for e in await self.log_of(session) if wanted.items() <= e.items()]):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # another process writes it
        except TimeoutError:
            raise AssertionError(f"no {wanted} in {await self.log_of(session)}") from None
        return found[0]

    async def events_of(self, session: str) -> bytes:
        """Return the events of a session that is over, as the API gives them."""
        async with self.http.get(f"{self.site.url}/v1/sessions/{session}/events") as answer:
            return await answer.read()


async def _drained(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployed]:
    """Give a deployment whose Redis keeps an append-only file and a slow log of every command."""
    folder: Path = tmp_path_factory.mktemp("redis")
    server = RedisProcess(folder, *PERSISTENT, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
    server.start()
    try:
        urls = {"state_url": server.url, "audio_url": server.url, "broker_url": server.url}
        environment = {
            "VOICEBACKEND_AGENTS": "keypad_agents",
            "VOICEBACKEND_LOG_LEVEL": "DEBUG",
            CARD: sha256(NUMBER.encode()).hexdigest(),
        }
        async with site(CONFIG, workers=2, redis=urls, environment=environment) as running:
            redis = Redis.from_url(server.url)
            found = Deployed(running, redis, server.url)
            try:
                yield found
            finally:
                await found.http.close()
                await redis.aclose()
    finally:
        server.kill()


@pytest.mark.parametrize("transport", ["websocket", "telephony"])
async def test_a_card_number_leaves_no_trace(deployed: Deployed, transport: str) -> None:
    """Not in Redis, its append-only file and slow log, nor in what it was told, in logs, events or the history."""
    async with monitored(deployed.url) as heard:
        async with deployed.calling(transport, "cashier") as (phone, session):
            await deployed.told(session, type="session", state="active")
            await phone.press("7")
            await deployed.told(session, type="dtmf", digit="7")
            await phone.say("i pay")
            await deployed.told(session, type="masked", on=True)
            await phone.press(NUMBER[:8])
            await phone.say(NUMBER[:4])
            await phone.press(NUMBER[8:] + "#")
            answer = await deployed.told(session, type="transcript", role="agent", turn=2)
            assert answer["text"] == "[16 digits] right until"
            during = await everything(deployed.redis)
        after = await everything(deployed.redis)
        events = await deployed.events_of(session)
    log = await deployed.log_of(session)
    printed = "\n".join(f"{who} {line}" for who, line in deployed.site.log).encode()
    for haystack in (during, after, bytes(heard.said), events):
        assert traces(haystack, NUMBER) == []
        assert set(keys_told(haystack)) == {b"7"}  # pressed before it was secret, and found everywhere
    assert traces(printed, NUMBER) == []
    assert keys_told(printed) == []
    assert len(heard.said) > 100_000
    said = [(e["role"], e["text"]) for e in log if e["type"] == "transcript" and e["role"] == "user"]
    assert said == [("user", "i pay"), ("user", "[16 digits]")]
    assert [entry["on"] for entry in log if entry["type"] == "masked"] == [True, False]


async def test_a_worker_that_dies_meanwhile_takes_no_digit_along_and_leaves_none(deployed: Deployed) -> None:
    """Another goes on in sensitive mode, with the keys before, those that nobody heard, and those after."""
    async with monitored(deployed.url) as heard, deployed.calling("websocket", "cashier") as (phone, session):
        await phone.say("i pay")
        await deployed.told(session, type="masked", on=True)
        await phone.press(NUMBER[:8])
        [holder] = [name for name in deployed.workers if session in await deployed.site.sessions_on(name)]
        await deployed.site.kill(holder)
        await phone.press(NUMBER[8:] + "#")
        answer = await deployed.told(session, type="transcript", role="agent", turn=2)
        assert answer["text"] == "[16 digits] right until"
        assert [entry for entry in await deployed.log_of(session) if entry["type"] == "dtmf"] == []
    assert traces(bytes(heard.said), NUMBER) == []
    assert not keys_told(bytes(heard.said))
    await deployed.site.start(holder, *WORKER)


async def test_a_number_that_is_no_secret_is_found_where_it_was_written(deployed: Deployed) -> None:
    """Else the search would prove nothing."""
    async with deployed.calling("websocket", "doorman") as (phone, session):
        await phone.say("let me in")
        await deployed.told(session, type="transcript", role="agent", turn=1)
        await phone.press("777")
        answer = await deployed.told(session, type="transcript", role="agent", turn=2)
        assert answer["text"] == "777 max_digits"
        found = await everything(deployed.redis)
    assert set(keys_told(found)) == {b"7"}
    assert traces(b'{"said": "8697"}', NUMBER)
    assert traces(b"card=" + NUMBER.encode(), NUMBER)
    assert traces(b"x678986977x", NUMBER)

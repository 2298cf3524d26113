"""The suite of remote engines, and what they reach vendors through, tried on a vendor that only echoes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from providers.conformance.double import KEY, Double, Fault
from providers.conformance.remote import QUICK, AnswerSuite, RemoteSuite, SocketSuite
from providers.remote.api import RemoteApi
from providers.remote.config import RemoteConfig
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidConfig, InvalidFormat, VoiceBackendError
from voicebackend.interfaces import Engine, EngineConfig


class EchoDouble(Double):
    """Says what it was told, in pieces, by either way."""

    leads_to = ""
    """Where ``/moved`` leads."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [
            web.post("/echo", self._echo),
            web.get("/socket", self._socket),
            web.route("*", "/moved", self._moved),
        ]

    async def _moved(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(self.leads_to)

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(await request.json())

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ws = await self.accept(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws


class _Config(RemoteConfig):
    api_key: SecretStr
    api_url: str


class _Api(Engine):
    name = "toy"
    Config = _Config

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        settings = self.config
        assert isinstance(settings, _Config)
        headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
        self.api = RemoteApi("toy", settings, url=settings.api_url, headers=headers)

    async def open(self) -> None:
        await self.api.open()

    async def aclose(self) -> None:
        await self.api.aclose()


def _made(double: Double, key: str, settings: dict[str, Any]) -> _Api:
    return _Api(_Config(api_key=SecretStr(key), api_url=double.url, **settings))


class TestRequests(AnswerSuite):
    """Requests that are answered whole."""

    def make_double(self) -> Double:
        return EchoDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return _made(double, key, settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, _Api)
        return await engine.api.json("echo", "POST", "/echo", body={"said": "hello"})


class TestStreams(RemoteSuite):
    """Requests that are answered piece by piece."""

    def make_double(self) -> Double:
        return EchoDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return _made(double, key, settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, _Api)
        async with engine.api.stream("echo", "POST", "/echo", body={"said": "hello"}) as pieces:
            found = b"".join([piece async for piece in pieces])
        if not found.startswith(b"{"):
            raise InvalidFormat("echo")
        return found


class TestSockets(SocketSuite):
    """Websockets."""

    def make_double(self) -> Double:
        return EchoDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return _made(double, key, settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, _Api)
        socket = await engine.api.connect("talk", "/socket")
        try:
            await socket.send({"said": "hello"})
            async for found in socket.objects():
                return found
        finally:
            await socket.aclose()
        raise ConnectionFailed("talk")


async def test_a_vendor_that_fails_for_all_is_left_alone_for_a_while() -> None:
    """Other sessions learn at once that it is no use, and can ask another."""
    async with EchoDouble() as double:
        engine = _made(double, KEY, dict(QUICK))
        await engine.open()
        double.order(Fault(kind="status", status=500))
        for _ in range(2):
            with pytest.raises(ConnectionFailed):
                await engine.api.json("echo", "POST", "/echo", body={})
        assert not engine.api.is_healthy
        before = len(double.seen)
        with pytest.raises(ConnectionFailed):
            await engine.api.json("echo", "POST", "/echo", body={})
        assert len(double.seen) == before
        await engine.aclose()


async def test_text_in_the_place_of_audio_is_an_error() -> None:
    """A server that explains itself under status 200 is not played to the caller."""
    async with EchoDouble() as double:
        engine = _made(double, KEY, dict(QUICK))
        await engine.open()
        with pytest.raises(InvalidFormat):
            async with engine.api.stream("echo", "POST", "/echo", body={"said": "hello"}, binary=True):
                pass
        await engine.aclose()


async def test_no_redirect_is_followed() -> None:
    """It would take the key to another; that the address has changed is told."""
    async with EchoDouble() as double, EchoDouble() as other:
        engine = _made(double, KEY, dict(QUICK))
        await engine.open()
        double.leads_to = f"{other.url}/socket"
        for asked in (engine.api.json("echo", "POST", "/moved", body={}), engine.api.connect("talk", "/moved")):
            with pytest.raises(InvalidConfig, match="elsewhere"):
                await asked
        with pytest.raises(InvalidConfig, match="elsewhere"):
            async with engine.api.stream("echo", "POST", "/moved", body={}):
                pass
        await engine.aclose()
        assert len(double.seen) == 3
        assert not other.seen


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (Fault(kind="status", status=500), 1),
        (Fault(kind="status", status=503), 1),
        (Fault(kind="late"), 1),
        (Fault(kind="status", status=503, retry_after="0.01"), 3),
        (Fault(kind="status", status=429), 3),
    ],
)
async def test_what_would_be_made_twice_is_sent_once(fault: Fault, tries: int) -> None:
    """Unless the vendor says that it did nothing."""
    async with EchoDouble() as double:
        engine = _made(double, KEY, dict(QUICK))
        await engine.open()
        double.order(fault)
        with pytest.raises(VoiceBackendError):
            await engine.api.json("echo", "POST", "/echo", body={}, once=True)
        assert len(double.seen) == tries
        await engine.aclose()


async def test_what_was_not_sent_is_sent_again() -> None:
    """Nobody was there to make anything; five tries are as many as a vendor may fail."""
    async with EchoDouble() as double:
        engine = _made(double, KEY, dict(QUICK, max_retries=4))
    await engine.open()
    assert engine.api.is_healthy
    with pytest.raises(ConnectionFailed):
        await engine.api.json("echo", "POST", "/echo", body={}, once=True)
    assert not engine.api.is_healthy
    await engine.aclose()


async def test_a_socket_tells_silence_from_the_end() -> None:
    """``receive`` raises when nothing comes in time, and is None once the call has ended in good order."""
    async with EchoDouble() as double:
        engine = _made(double, KEY, dict(QUICK))
        await engine.open()
        socket = await engine.api.connect("talk", "/socket")
        with pytest.raises(ConnectionTimeout):
            await socket.receive(timeout_s=0.05)
        waiting = asyncio.create_task(socket.receive(), name="receive")
        await double.hang_up(1000)
        assert await waiting is None
        await engine.aclose()

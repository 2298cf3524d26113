"""Calls through a real LiveKit server; ``test_livekit.py`` runs each of them in a network namespace of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import livekit_peer
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from conversation_suite import KEY, ConversationSuite, Counter, refuses_telephone_calls
from listening import alike, answer_to
from livekit import api
from livekit_line import ARRIVES, CONFIG, INSIDE, answered, call, embedded, ended, rooms
from livekit_peer import LiveKitServer, livekit_server
from room_caller import RoomCaller
from tone_caller import ToneCaller, on_the_line

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.errors import VoiceBackendError

pytestmark = INSIDE


@pytest.fixture
async def livekit() -> AsyncIterator[LiveKitServer]:
    """Give a server."""
    async with livekit_server() as running:
        yield running


class TestConversation(ConversationSuite):
    """The suite of all providers."""

    transport = "webrtc"
    arrives = ARRIVES

    @pytest.fixture
    def config(self, livekit: LiveKitServer) -> BackendConfig:
        """Give the settings."""
        del livekit
        return CONFIG

    @asynccontextmanager
    async def call(self, config: BackendConfig, counter: Counter) -> AsyncIterator[ToneCaller]:
        """Hold a call in a room."""
        config = config.with_auth_hook(counter).with_rate_limiter(counter).with_custom_processors([counter])
        async with VoiceBackend(config, api_key=KEY) as backend, call(backend) as (_, caller):
            yield caller

    async def test_the_telephony_hook_routes_calls_and_tells_of_them(self, config: BackendConfig) -> None:
        """Nor can it make a room of a telephone call: who dials is refused, and told why."""
        await refuses_telephone_calls(config)

    async def test_two_calls_never_mix(self, config: BackendConfig) -> None:
        """Each has a room of its own, and hears answers to its own words only."""

        async def hold(backend: VoiceBackend, words: str) -> None:
            async with call(backend) as (_, caller):
                await self.turn(caller, words)
                await self.turn(caller, f"again {words}")

        async with VoiceBackend(config) as backend, asyncio.TaskGroup() as group:
            for words in ("yellow canary", "green parrot"):
                group.create_task(hold(backend, words), name=words)


async def test_keys_and_messages_reach_the_session(livekit: LiveKitServer) -> None:
    """DTMF comes as SIP's packets and as messages; ``stop`` ends the call; nonsense is left alone."""
    async with embedded() as backend, call(backend) as (room, caller):
        [session] = await backend.list_sessions()
        follower = asyncio.create_task(backend_events(backend, session.id, 2), name="follower")
        await room.room.local_participant.publish_dtmf(code=5, digit="5")
        await room.tell("nonsense")
        await room.tell('{"type":"dtmf","digit":"#"}')
        assert await follower == ["5", "#"]
        await answered(caller, "good day")
        await room.tell('{"type":"stop"}')
        assert await ended(backend, session.id) == "hangup"
        await asyncio.wait_for(room.gone.wait(), 5)


async def backend_events(backend: VoiceBackend, session: str, count: int) -> list[str]:
    """Return the next digits in a session's log."""
    found: list[str] = []
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    url = f"{backend.url}/v1/sessions/{session}/events"
    async with asyncio.timeout(15), aiohttp.ClientSession(headers=headers) as client, client.get(url) as answer:
        while len(found) < count:
            line = await answer.content.readline()
            if line.startswith(b"data:") and (told := json.loads(line[5:])).get("type") == "dtmf":
                found.append(told["digit"])
    return found


async def test_a_caller_who_hangs_up_ends_the_session(livekit: LiveKitServer) -> None:
    """Leaving on purpose is a hang-up, and the room is gone with it."""
    async with embedded() as backend:
        async with call(backend) as (_, caller):
            [session] = await backend.list_sessions()
            await answered(caller, "short call")
        assert await ended(backend, session.id) == "hangup"
        assert await rooms() == []


async def test_a_caller_who_comes_back_hears_on(livekit: LiveKitServer) -> None:
    """Who joins again with a fresh token takes the call over, and is answered there."""
    async with embedded() as backend, call(backend) as (_, caller):
        await answered(caller, "first device")
        [session] = await backend.list_sessions()
        fresh = (await backend.get_session(session.id)).view.join
        assert fresh is not None
        async with on_the_line(RoomCaller(fresh)) as second:
            await second.until(lambda: bool(second.events))
            await answered(second, "second device")


async def test_a_wrong_key_is_told_at_once(livekit: LiveKitServer) -> None:
    """The session fails with ``authentication_failed``."""
    settings = {**CONFIG.provider_config, "api_secret": "another-secret-that-is-long-enough-too"}
    async with embedded(CONFIG.with_provider_config(settings)) as backend:
        with pytest.raises(VoiceBackendError) as caught:
            await backend.create_session(SessionConfig(user_id="u", transport="webrtc", agent_callback=answer_to))
        assert caught.value.code == "authentication_failed"


async def test_the_servers_webhooks_are_taken_and_end_the_session() -> None:
    """The real server signs them; each is answered with 200, and the end of the room ends the session."""
    taken: list[tuple[str, int]] = []
    async with embedded() as backend, aiohttp.ClientSession() as client:

        async def forward(request: web.Request) -> web.Response:
            """Pass an event on to control, and note what it is."""
            body = await request.read()
            url = f"{backend.url}/v1/webhooks/livekit"
            async with client.post(url, data=body, headers={"Authorization": request.headers["Authorization"]}) as told:
                taken.append((json.loads(body)["event"], told.status))
                return web.Response(status=told.status)

        app = web.Application()
        app.router.add_post("/", forward)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        async with livekit_server(str(server.make_url("/"))), call(backend) as (_, caller):
            [session] = await backend.list_sessions()
            await answered(caller, "who is there")
            url = livekit_peer.URL.replace("ws", "http")
            async with api.LiveKitAPI(url, livekit_peer.KEY, livekit_peer.SECRET) as livekit:
                await livekit.room.delete_room(api.DeleteRoomRequest(room=f"room-{session.id}"))
            assert await ended(backend, session.id) in {"closed", "hangup"}
            async with asyncio.timeout(10):
                while "room_finished" not in [kind for kind, _ in taken]:  # noqa: ASYNC110 - it comes from outside
                    await asyncio.sleep(0.05)
        await server.close()
    assert {"room_started", "participant_joined", "track_published"} <= {kind for kind, _ in taken}
    assert {status for _, status in taken} == {200}


async def test_a_model_that_hears_and_speaks_is_called_by_webrtc(livekit: LiveKitServer) -> None:
    """Speech to speech, in the same room."""
    of_the_server = {"url", "api_key", "api_secret"}
    settings = {name: value for name, value in CONFIG.provider_config.items() if name in of_the_server}
    said, answer = "hello model", "hello caller"
    script = {"transcripts": [said], "replies": [answer], "threshold": 500, "seconds_per_character": 0.05}
    config = BackendConfig(
        provider="livekit",
        provider_config={**settings, "s2s": script},
        pipeline_type="s2s",
        s2s_provider="mock",
        vad_provider="energy",
        noise_cancellation_provider="none",
    )
    async with embedded(config) as backend, call(backend, None) as (_, caller):
        caller.say(said)
        await caller.until(lambda: bool(caller.transcripts("agent")))
        await caller.quiet(0.5)
        assert alike(caller.transcripts("user")[-1], said, ARRIVES)
        assert alike(caller.words, answer, ARRIVES), caller.words


async def test_the_example_that_swaps_providers_invites_its_caller(livekit: LiveKitServer, tmp_path: Path) -> None:
    """``examples/swap_provider.py``: the one word that changes is ``livekit``."""
    example = Path(__file__).parents[2] / "examples" / "swap_provider.py"
    written = tmp_path / "config.yaml"
    text = example.with_suffix(".yaml").read_text()
    written.write_text(text.replace("provider: mock", "provider: livekit", 1))
    secrets = {"LIVEKIT_API_KEY": livekit_peer.KEY, "LIVEKIT_API_SECRET": livekit_peer.SECRET}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, str(example), str(written)),
        env={**os.environ, **secrets},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await running.communicate()
    assert running.returncode == 0
    told = [line.strip() for line in out.decode().splitlines()]
    assert told == ["livekit: our agent answers", f"the caller joins a room at {livekit_peer.URL}"]

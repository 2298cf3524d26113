"""A session's room: opened where callers come by WebRTC, its invitation kept fresh, its loss the session's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakeredis import FakeAsyncRedis

from voicebackend import BackendConfig
from voicebackend.config import PipelineType
from voicebackend.errors import AuthenticationFailed, ConnectionFailed
from voicebackend.events import State
from voicebackend.interfaces import CallerRoom, Invitation, Place
from voicebackend.keys import Keys
from voicebackend.lane_link import LaneLink
from voicebackend.record import SessionRecord
from voicebackend.session import PipelineState, Transport
from voicebackend.streams import Frame, Kind
from worker.checkpoint import SessionSnapshot, decode, encode
from worker.lane_frames import ON_THE_WAY_MS, LaneFrames
from worker.link import Attachment, GatewayLink
from worker.session_room import SessionRoom

SESSION = "a" * 32
KEYS = Keys("test")


class ScriptedRoom(CallerRoom):
    """Does as it is told."""

    sample_rate = 24_000

    def __init__(self, place: Place, life_s: float) -> None:
        self.place, self.life_s = place, life_s
        self.error: Exception | None = None
        self.line: LaneLink | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.invitations, self.third = 0, asyncio.Event()
        self.taken: list[Frame] = []
        self.closed: list[bool] = []

    async def open(self, line: Callable[[], LaneLink]) -> None:
        """Take the first line."""
        if self.error is not None:
            raise self.error
        self.line = line()

    def invitation(self) -> Invitation:
        """Return one with a number."""
        self.invitations += 1
        if self.invitations == 3:
            self.third.set()
        return Invitation(url="wss://r", token=f"token-{self.invitations}", expires_in=self.life_s)

    def take(self, frame: Frame) -> None:
        """Note it."""
        self.taken.append(frame)

    async def wait(self) -> None:
        """Wait until it is lost."""
        await self.lost

    async def aclose(self, *, over: bool) -> None:
        """Note it."""
        self.closed.append(over)


class World:
    """A session's room with what is around it."""

    def __init__(self, transport: Transport = Transport.WEBRTC, life_s: float = 600) -> None:
        self.redis, self.rooms, self.life_s = FakeAsyncRedis(), list[ScriptedRoom](), life_s
        self.error: Exception | None = None
        self.sent: list[tuple[str, Frame]] = []
        sender = SimpleNamespace(send=lambda stream, frame: self.sent.append((stream, frame)))
        self.lane = SimpleNamespace(number=3, epoch=42, may_speak=lambda _: True)
        self.link = GatewayLink(SESSION, cast(Any, self.lane), cast(Any, sender), KEYS)
        services = SimpleNamespace(engines=self, sender=sender, keys=KEYS, state=self.redis, secret="of a test")
        record = SessionRecord(
            id=SESSION,
            tenant="t",
            user_id="u",
            provider="rooms",
            transport=transport,
            pipeline_type=PipelineType.STT_TTS,
        )
        config = BackendConfig(provider="mock")
        self.room = SessionRoom(record, config, cast(Any, self.lane), cast(Any, services), self.link)

    async def provider(self, config: BackendConfig) -> Any:
        """Give one that brings rooms."""
        assert config.provider == "rooms"
        return SimpleNamespace(room=self._made)

    def _made(self, place: Place) -> ScriptedRoom:
        room = ScriptedRoom(place, self.life_s)
        room.error = self.error
        self.rooms.append(room)
        return room

    async def join(self) -> dict[str, str] | None:
        """Return what control would find."""
        raw = await self.redis.get(KEYS.session_join(SESSION))
        return None if raw is None else dict(json.loads(raw))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give one that is open."""
    world = World()
    await world.room.open()
    yield world
    await world.room.aclose(over=True)


async def test_a_room_is_opened_and_its_invitation_lives_as_long_as_its_token(world: World) -> None:
    """It knows session and epoch; its line leads into the lane, and names no gateway."""
    [room] = world.rooms
    assert (room.place.session, room.place.epoch) == (SESSION, 42)
    assert await world.join() == {"url": "wss://r", "token": "token-1"}
    assert 590 < await world.redis.ttl(KEYS.session_join(SESSION)) <= 600
    assert room.line is not None
    room.line.attach("")
    [(stream, frame)] = world.sent
    assert (stream, frame.kind, frame.json()["inbox"]) == (KEYS.lane(3), Kind.ATTACH, "")


async def test_what_is_for_a_caller_in_a_room_goes_there_and_to_no_gateway(world: World) -> None:
    """Until a gateway's socket takes the call."""
    world.link.attach(Attachment(id=7, inbox="", sample_rate=24_000))
    world.link.event(State(state=PipelineState.LISTENING))
    assert [frame.kind for frame in world.rooms[0].taken] == [Kind.EVENT]
    assert world.sent == []
    world.link.attach(Attachment(id=8, inbox="gateway", sample_rate=16_000))
    world.link.event(State(state=PipelineState.LISTENING))
    assert [stream for stream, _ in world.sent] == [KEYS.inbox("gateway")]


async def test_at_the_end_nobody_is_invited(world: World) -> None:
    """A worker that hands over leaves the invitation to the next."""
    await world.room.aclose(over=False)
    assert await world.join() is not None
    await world.room.aclose(over=True)
    assert await world.join() is None
    assert world.rooms[0].closed == [False, True]


async def test_invitations_are_kept_fresh() -> None:
    """A caller may come back long after."""
    world = World(life_s=0.1)
    await world.room.open()
    [room] = world.rooms
    async with asyncio.timeout(10):
        await room.third.wait()
    await world.room.aclose(over=True)
    asked = room.invitations
    await asyncio.sleep(0.2)
    assert room.invitations == asked


async def test_callers_by_a_gateway_have_no_room() -> None:
    """Nothing is opened, nothing is closed."""
    world = World(Transport.WEBSOCKET)
    await world.room.open()
    await world.room.aclose(over=True)
    assert world.rooms == []
    assert await world.join() is None


async def test_a_room_that_cannot_be_had_fails_the_session() -> None:
    """With the reason."""
    world = World()
    world.error = AuthenticationFailed("livekit.join")
    with pytest.raises(AuthenticationFailed):
        await world.room.open()
    await world.room.aclose(over=True)
    assert world.rooms[0].closed == [True]


async def test_a_room_that_is_lost_ends_the_conversation(world: World) -> None:
    """Else that ends as its pipeline says."""
    ends: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    pipeline = SimpleNamespace(wait=lambda: ends)

    async def waits() -> str:
        return await ends

    pipeline.wait = waits
    ended = asyncio.create_task(world.room.ended(cast(Any, pipeline)), name="ended")
    await asyncio.sleep(0)
    world.rooms[0].lost.set_exception(ConnectionFailed("livekit"))
    with pytest.raises(ConnectionFailed):
        await ended
    ends.cancel()


async def test_a_conversation_ends_as_its_pipeline_says(world: World) -> None:
    """Though the room is well."""

    async def waits() -> str:
        return "away"

    assert await world.room.ended(cast(Any, SimpleNamespace(wait=waits))) == "away"


async def test_who_takes_over_says_again_what_may_have_been_lost() -> None:
    """A room goes with its worker: what was heard stands in the checkpoint, less what was on its way."""
    at = Attachment(id=7, inbox="", sample_rate=24_000)
    taken = decode(encode(SessionSnapshot(version=1, attachment=at.snapshot((5, 1200.0)))))
    assert taken.attachment is not None
    link = SimpleNamespace(attachment=Attachment.of(taken.attachment), adopted=1)
    standing = await LaneFrames(cast(Any, link), taken).standing()
    assert standing is not None
    assert (standing.turn, standing.received_ms, standing.played_ms) == (5, *[1200.0 - ON_THE_WAY_MS] * 2)
    gateway = Attachment(id=7, inbox="g", sample_rate=16_000).snapshot((5, 1200.0))
    assert gateway.heard == (0, 0.0)

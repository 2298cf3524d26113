"""A session's room with scripted connections: joined, lost, joined again, taken over and left. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from no_seal import NoSeal

from providers.livekit import room as room_module
from providers.livekit.config import Access, LiveKitConfig
from providers.livekit.guest import Guest, Loss, hung_up, loss_by
from providers.livekit.room import REJOIN_S, LiveKitRoom
from providers.livekit.server import Server
from voicebackend.channel import Sender
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, VoiceBackendError
from voicebackend.interfaces import Place
from voicebackend.lane_link import LaneLink
from voicebackend.streams import Frame, Kind
from voicebackend.virtual_time import run

SESSION = "0123456789abcdef0123456789abcdef"
ACCESS = Access(url="wss://livekit.example.com", key="key", secret="a-secret-that-is-long-enough-for-hs256")


class FakeServer:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def create(self, room: str) -> None:
        """Note it."""
        self.asked.append(("create", room))

    async def remove(self, room: str, identity: str) -> None:
        """Note it."""
        self.asked.append(("remove", room, identity))

    async def delete(self, room: str) -> None:
        """Note it."""
        self.asked.append(("delete", room))


class FakeConnection:
    """Joins as it is told to, and is lost when it is told to."""

    errors: list[VoiceBackendError]
    """What the next joins raise."""
    present: list[tuple[str, int]]
    made: list[FakeConnection]

    def __init__(self, guest: Guest) -> None:
        self.guest, self.loss = guest, asyncio.get_running_loop().create_future()
        self.left = False
        self.made.append(self)

    async def join(self, access: Access, room: str, epoch: int, *, connect_s: float) -> None:
        """Join."""
        del access, room, epoch, connect_s
        if self.errors:
            raise self.errors.pop(0)

    def agents(self) -> list[tuple[str, int]]:
        """Return those who are there too."""
        return self.present

    async def lost(self) -> Loss:
        """Wait."""
        return await asyncio.shield(self.loss)

    async def leave(self) -> None:
        """Note it."""
        self.left = True

    async def play(self, pcm: bytes) -> None:
        """Play nothing."""

    def clear(self) -> None:
        """Clear nothing."""

    async def send(self, text: str) -> None:
        """Send nothing."""


class Lane:
    """Notes what is written into it."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, stream: str, frame: Frame) -> None:
        """Note it."""
        del stream
        self.frames.append(frame)

    @property
    def told(self) -> list[tuple[Kind, Any]]:
        """Return what was told, without audio."""
        return [(frame.kind, frame.json().get("stopped")) for frame in self.frames if frame.kind is not Kind.AUDIO_IN]


class World:
    """A room, its server, its lane."""

    def __init__(self) -> None:
        self.server, self.lane = FakeServer(), Lane()
        config = LiveKitConfig.model_validate({"max_retries": 2, "retry_delay": 0.01})
        self.room = LiveKitRoom(Place(session=SESSION, epoch=7), ACCESS, cast("Server", self.server), config)

    def line(self) -> LaneLink:
        """Return a way into the lane."""
        sender = cast("Sender", self.lane)
        return LaneLink(sender, session=SESSION, lane="lane", inbox="", sample_rate=24_000, seal=NoSeal())


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeConnection]:
    """Have connections scripted; give those that were made."""
    FakeConnection.errors, FakeConnection.present, FakeConnection.made = [], [], []
    monkeypatch.setattr(room_module, "Connection", FakeConnection)
    return FakeConnection.made


def hold(scene: Coroutine[Any, Any, None]) -> None:
    """Play a scene."""
    run(scene)


def test_who_has_a_lower_epoch_is_removed_and_others_stay(made: list[FakeConnection]) -> None:
    """Ours is the highest, or we are about to be removed ourselves."""

    async def scene() -> None:
        FakeConnection.present = [("agent-5", 5), ("agent-9", 9)]
        world = World()
        await world.room.open(world.line)
        assert world.server.asked == [("create", f"room-{SESSION}"), ("remove", f"room-{SESSION}", "agent-5")]
        await world.room.aclose(over=False)
        assert made[0].left
        assert ("delete", f"room-{SESSION}") not in world.server.asked

    hold(scene())


def test_the_end_deletes_the_room(made: list[FakeConnection]) -> None:
    """Nobody may stay behind."""

    async def scene() -> None:
        world = World()
        await world.room.open(world.line)
        await world.room.aclose(over=True)
        assert world.server.asked[-1] == ("delete", f"room-{SESSION}")
        assert made[0].left

    hold(scene())


def test_a_join_that_fails_is_tried_again_and_leaves_nothing(made: list[FakeConnection]) -> None:
    """As often as the settings say."""

    async def scene() -> None:
        FakeConnection.errors = [ConnectionFailed("join"), ConnectionFailed("join")]
        world = World()
        await world.room.open(world.line)
        assert [connection.left for connection in made] == [True, True, False]
        await world.room.aclose(over=False)

    hold(scene())


def test_a_refused_token_is_not_tried_again(made: list[FakeConnection]) -> None:
    """The key is wrong."""

    async def scene() -> None:
        FakeConnection.errors = [AuthenticationFailed("join")]
        world = World()
        with pytest.raises(AuthenticationFailed):
            await world.room.open(world.line)
        assert len(made) == 1

    hold(scene())


def test_a_broken_connection_is_joined_again_and_the_caller_comes_back(made: list[FakeConnection]) -> None:
    """The session hears of two stays."""

    async def scene() -> None:
        world = World()
        await world.room.open(world.line)
        made[0].guest.came()
        FakeConnection.errors = [ConnectionFailed("join")] * 3
        made[0].loss.set_result(Loss.BROKEN)
        await asyncio.sleep(5)
        assert len(made) == 5
        made[-1].guest.came()
        assert world.lane.told == [(Kind.ATTACH, None), (Kind.DETACH, False), (Kind.ATTACH, None)]
        first, _, second = (frame.attachment for frame in world.lane.frames)
        assert first != second
        await world.room.aclose(over=True)

    hold(scene())


def test_a_server_that_stays_away_is_an_error_in_time() -> None:
    """Before the session gives its caller up."""

    async def scene() -> None:
        world = World()
        await world.room.open(world.line)
        FakeConnection.errors = [ConnectionFailed("join")] * 1000
        FakeConnection.made[0].loss.set_result(Loss.BROKEN)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionFailed):
            await world.room.wait()
        assert asyncio.get_running_loop().time() - began < REJOIN_S + 2
        await world.room.aclose(over=True)

    hold(scene())


@pytest.mark.parametrize(("loss", "stopped"), [(Loss.REMOVED, False), (Loss.ENDED, True)])
def test_who_is_removed_does_not_come_back(made: list[FakeConnection], loss: Loss, stopped: bool) -> None:
    """The session hears of it as of a caller who left: for good, if the room is no more."""

    async def scene() -> None:
        world = World()
        await world.room.open(world.line)
        made[0].guest.came()
        made[0].loss.set_result(loss)
        await asyncio.sleep(60)
        assert len(made) == 1
        assert world.lane.told == [(Kind.ATTACH, None), (Kind.DETACH, stopped)]
        await world.room.aclose(over=True)

    hold(scene())


def test_nothing_is_said_of_a_caller_who_is_not_there(made: list[FakeConnection]) -> None:
    """Frames, keys and messages before and after a stay go nowhere."""

    async def scene() -> None:
        world = World()
        await world.room.open(world.line)
        guest = made[0].guest
        for _ in range(2):
            guest.audio(bytes(640))
            guest.pressed("1")
            guest.message('{"type":"stop"}')
            guest.went(stopped=True)
            world.room.take(Frame(SESSION, Kind.AUDIO_OUT, bytes(96), 1))
        assert world.lane.frames == []
        await world.room.aclose(over=False)

    hold(scene())


@pytest.mark.parametrize(
    ("reason", "loss", "done"),
    [
        ("CLIENT_INITIATED", Loss.BROKEN, True),
        ("DUPLICATE_IDENTITY", Loss.REMOVED, False),
        ("PARTICIPANT_REMOVED", Loss.REMOVED, True),
        ("ROOM_DELETED", Loss.ENDED, True),
        ("ROOM_CLOSED", Loss.ENDED, False),
        ("SIGNAL_CLOSE", Loss.BROKEN, False),
        ("something new", Loss.BROKEN, False),
    ],
)
def test_reasons_mean_something(reason: str, loss: Loss, done: bool) -> None:
    """For us, and for the caller."""
    assert (loss_by(reason), hung_up(reason)) == (loss, done)

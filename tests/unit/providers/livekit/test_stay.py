"""A caller in a room, with a stage that is scripted: paced, held, cleared, told what was heard. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from no_seal import NoSeal

from providers.livekit.connection import SAMPLE_RATE
from providers.livekit.stay import Stay
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.channel import Sender
from voicebackend.events import AudioEnd, Clear, Ended, Message, Pause, Resume
from voicebackend.lane_link import LaneLink
from voicebackend.streams import Frame, Kind
from voicebackend.virtual_time import run

SESSION = "0123456789abcdef0123456789abcdef"


class Lane:
    """Notes what is written into it."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, stream: str, frame: Frame) -> None:
        """Note it."""
        del stream
        self.frames.append(frame)

    def of(self, kind: Kind) -> list[dict[str, Any]]:
        """Return what was told by frames of a kind."""
        return [frame.json() for frame in self.frames if frame.kind is kind]


class Stage:
    """Plays at the pace of time, as a room does: knows what was really heard."""

    def __init__(self) -> None:
        self._now = asyncio.get_running_loop().time
        self._queue: list[tuple[float, bytes]] = []
        self._free_at = 0.0
        self.texts: list[str] = []
        self.longest_s = 0.0
        """Of audio that was queued at once."""

    async def play(self, pcm: bytes) -> None:
        """Queue it."""
        begins = max(self._now(), self._free_at)
        self._free_at = begins + len(pcm) / SAMPLE_BYTES / SAMPLE_RATE
        self._queue.append((begins, pcm))
        self.longest_s = max(self.longest_s, self._free_at - self._now())

    def clear(self) -> None:
        """Keep only what was heard by now."""
        self._queue = [(begins, self._until_now(begins, pcm)) for begins, pcm in self._queue if begins < self._now()]
        self._free_at = self._now()

    async def send(self, text: str) -> None:
        """Note it."""
        self.texts.append(text)

    @property
    def heard(self) -> bytes:
        """What was heard by now."""
        return b"".join(self._until_now(begins, pcm) for begins, pcm in self._queue if begins < self._now())

    def _until_now(self, begins: float, pcm: bytes) -> bytes:
        return pcm[: round((self._now() - begins) * SAMPLE_RATE) * SAMPLE_BYTES]


class Scene:
    """A stay between its lane and its stage."""

    def __init__(self) -> None:
        self.lane, self.stage = Lane(), Stage()
        sender = cast("Sender", self.lane)
        self.line = LaneLink(sender, session=SESSION, lane="lane", inbox="", sample_rate=SAMPLE_RATE, seal=NoSeal())
        self.stay = Stay(self.line, self.stage, SAMPLE_RATE)
        self._running = asyncio.create_task(self.stay.run(), name="stay")

    def say(self, turn: int, pcm: bytes) -> None:
        """Have the agent say it."""
        self.stay.take(Frame(SESSION, Kind.AUDIO_OUT, pcm, turn, attachment=self.line.attachment))

    def order(self, message: Message) -> None:
        """Have the session order, or tell, something."""
        payload, turn = message.to_json().encode(), getattr(message, "turn", 0)
        self.stay.take(Frame(SESSION, Kind.EVENT, payload, turn, attachment=self.line.attachment))

    def heard_ms(self) -> list[tuple[float, bool]]:
        """Return what was told of what was heard."""
        return [(told["ms"], told["final"]) for told in self.lane.of(Kind.PLAYED)]

    async def over(self) -> None:
        """End it."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


def tone(seconds: float) -> bytes:
    """Return audio in which every sample is another."""
    return b"".join((at % 30_000).to_bytes(2, "little") for at in range(round(seconds * SAMPLE_RATE)))


def test_audio_is_paced_and_what_was_heard_is_told() -> None:
    """No more than 200 ms are with the room at once; each 200 ms heard are told, and the rest at the end."""

    async def main() -> None:
        scene = Scene()
        scene.say(1, tone(1.0))
        scene.order(AudioEnd(turn=1))
        await asyncio.sleep(1.5)
        assert scene.stage.heard == tone(1.0)
        assert scene.stage.longest_s <= 0.2 + 1e-6
        assert scene.heard_ms()[-1] == (1000.0, False)
        assert len(scene.heard_ms()) >= 4
        assert scene.stage.texts == [AudioEnd(turn=1).to_json()]
        await scene.over()

    run(main())


@pytest.mark.parametrize("at_s", [0.1, 0.33, 0.65, 0.95])
def test_a_pause_stands_still_and_nothing_is_lost_when_it_goes_on(at_s: float) -> None:
    """The room can only drop what is queued: that is played again, from where it stopped."""

    async def main() -> None:
        scene = Scene()
        scene.say(1, tone(1.0))
        await asyncio.sleep(at_s)
        scene.order(Pause(turn=1))
        before = scene.stage.heard
        await asyncio.sleep(2.0)
        assert scene.stage.heard == before
        [ms] = [ms for ms, final in scene.heard_ms() if final]
        assert abs(ms - at_s * 1000) < 1
        scene.order(Resume(turn=1))
        await asyncio.sleep(1.5)
        assert scene.stage.heard == tone(1.0)
        assert scene.heard_ms()[-1] == (1000.0, False)
        await scene.over()

    run(main())


@pytest.mark.parametrize("paused", [False, True])
def test_a_clear_is_the_last_that_is_heard(paused: bool) -> None:
    """Neither what was queued here nor what was with the room comes; the next turn begins at once."""

    async def main() -> None:
        scene = Scene()
        scene.say(1, tone(1.0))
        await asyncio.sleep(0.4)
        if paused:
            scene.order(Pause(turn=1))
            await asyncio.sleep(0.3)
        scene.order(Clear(turn=1))
        heard = scene.stage.heard
        assert abs(len(heard) / SAMPLE_BYTES / SAMPLE_RATE - 0.4) < 0.001
        await asyncio.sleep(0.5)
        assert scene.stage.heard == heard
        assert scene.heard_ms()[-1][0] == 400.0
        assert (400.0, True) in scene.heard_ms()
        scene.say(2, tone(0.1))
        await asyncio.sleep(0.2)
        assert scene.stage.heard == heard + tone(0.1)
        await scene.over()

    run(main())


def test_the_caller_is_heard_and_counted() -> None:
    """Audio and everything else are numbered from 1, each by itself, and tell which stay they come from."""

    async def main() -> None:
        scene = Scene()
        scene.stay.begin("trace")
        scene.stay.audio(bytes(640))
        scene.stay.audio(bytes(640))
        scene.stay.pressed("5")
        scene.stay.leave(stopped=False)
        told = [(frame.kind, frame.seq) for frame in scene.lane.frames]
        assert told == [
            (Kind.ATTACH, 1),
            (Kind.AUDIO_IN, 1),
            (Kind.AUDIO_IN, 2),
            (Kind.DTMF, 2),
            (Kind.DETACH, 3),
        ]
        [attached] = scene.lane.of(Kind.ATTACH)
        assert (attached["inbox"], attached["sample_rate"], attached["traceparent"]) == ("", SAMPLE_RATE, "trace")
        assert {frame.attachment for frame in scene.lane.frames} == {scene.line.attachment}
        await scene.over()

    run(main())


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ('{"type":"dtmf","digit":"#"}', Kind.DTMF, {"sealed": "#"}),
        ('{"type":"hold","on":true}', Kind.HOLD, {"on": True}),
        ('{"type":"stop"}', Kind.DETACH, {"stopped": True}),
        ('{"type":"played","turn":1,"ms":120}', Kind.PLAYED, {"ms": 120.0, "estimated": False, "final": False}),
    ],
)
def test_messages_are_those_of_a_websockets_caller(text: str, kind: Kind, told: dict[str, Any]) -> None:
    """What a caller's application may say, it may say here."""

    async def main() -> None:
        scene = Scene()
        scene.stay.message(text)
        assert scene.lane.of(kind) == [told]
        await scene.over()

    run(main())


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", '{"type":"start","sample_rate":16000}', "x" * 9000, '{"type":1}']
)
def test_nonsense_is_left_alone(text: str) -> None:
    """Whatever comes, the call goes on."""

    async def main() -> None:
        scene = Scene()
        scene.stay.message(text)
        assert scene.lane.frames == []
        await scene.over()

    run(main())


def test_frames_for_a_stay_before_are_left_out() -> None:
    """The caller came back meanwhile."""

    async def main() -> None:
        scene = Scene()
        scene.stay.take(Frame(SESSION, Kind.AUDIO_OUT, tone(0.1), 1, attachment=scene.line.attachment + 1))
        await asyncio.sleep(0.5)
        assert scene.stage.heard == b""
        await scene.over()

    run(main())


def test_the_end_is_told_before_it_is_done() -> None:
    """Audio that waits is dropped, messages are not."""

    async def main() -> None:
        scene = Scene()
        scene.say(1, tone(2.0))
        scene.order(Ended(reason="closed"))
        await asyncio.wait_for(scene.stay.done.wait(), 1.0)
        assert scene.stage.texts == [Ended(reason="closed").to_json()]
        await scene.over()

    run(main())

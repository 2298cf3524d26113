"""Stands in for gateway and agent around a real worker on a real Redis: what they write, and what they read."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from voicebackend import channel
from voicebackend._redis import connect
from voicebackend.config import PipelineType
from voicebackend.record import LIVE_TTL_S, SessionRecord
from voicebackend.session import SessionState, Transport
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.tasks import AGENTS_TURN, Task

Script = Callable[[int, int], Iterable[str | Frame] | None]
"""Given turn and attempt: the agent's text, frames instead of text, or None for a task that nobody takes."""


class ScriptedTasks:
    """A publisher that answers agent turns itself, and remembers every other task."""

    def __init__(self, audio: Redis, deployment: Deployment, script: Script) -> None:
        self.audio, self._keys, self.script = audio, deployment.keys, script
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.lane = 0

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Remember the task; answer it if it is an agent's turn."""
        self.published.append((task.name, arguments))
        if task is AGENTS_TURN:
            await self._answer(**arguments)

    async def _answer(self, session_id: str, turn: int, attempt: int) -> None:
        deltas = self.script(turn, attempt)
        if deltas is None:
            return
        sender = channel.Sender(self.audio)
        frames: list[Frame] = [Frame(session=session_id, kind=Kind.AGENT_STARTED, turn=turn, attempt=attempt)]
        for seq, delta in enumerate(deltas):
            if isinstance(delta, Frame):
                frames.append(delta)
            else:
                text = delta.encode()
                frames.append(
                    Frame(session=session_id, kind=Kind.AGENT_DELTA, turn=turn, attempt=attempt, seq=seq, payload=text)
                )
        frames.append(Frame(session=session_id, kind=Kind.AGENT_DONE, turn=turn, attempt=attempt, seq=len(frames) - 1))
        for frame in frames:
            sender.send(self._keys.lane(self.lane), frame)
        await sender.flush()

    async def aclose(self) -> None:
        """Nothing to release."""

    def reports(self, session: str) -> list[str]:
        """Return the ends that were reported for a session."""
        return [
            found["state"]
            for name, found in self.published
            if name == "sessions.report" and found["session_id"] == session
        ]


@dataclass
class Caller:
    """One session's gateway end."""

    deployment: Deployment
    redis: Redis
    """State's."""
    audio_redis: Redis
    lane: int
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    sample_rate: int = 16_000
    attachment: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inbox = f"test-{self.session[:8]}"
        self.sender = channel.Sender(self.audio_redis)
        self._seq = 0
        self._changed = asyncio.Condition()

    async def place(self, epoch: int, **changes: Any) -> None:
        """Do what ``sessions.create`` does: record, slot, START."""
        keys = self.deployment.keys
        fields = {
            "id": self.session,
            "tenant": "default",
            "user_id": "u",
            "provider": "mock",
            "transport": Transport.WEBSOCKET,
            "pipeline_type": PipelineType.STT_TTS,
            "agent": "echo",
            "state": SessionState.STARTING,
            "lane": self.lane,
            "epoch": epoch,
            **changes,
        }
        record = SessionRecord(**fields)
        await self.redis.hset(keys.session(self.session), mapping=record.to_fields())  # type: ignore[arg-type]
        await self.redis.expire(keys.session(self.session), LIVE_TTL_S)
        await self.redis.xadd(
            keys.session_log(self.session), {"e": json.dumps({"type": "session", "state": "pending"})}
        )
        await self.redis.expire(keys.session_log(self.session), LIVE_TTL_S)
        await self.redis.sadd(keys.lane_sessions(self.lane), self.session)
        await self.redis.expire(keys.lane_sessions(self.lane), LIVE_TTL_S)
        await self.send(Kind.START, {})

    async def state(self) -> str:
        """Return the state in which the session is by its record."""
        found: Any = await self.redis.hget(self.deployment.keys.session(self.session), "state")
        return str(found.decode())

    async def is_ready(self) -> bool:
        """Return whether the record says so."""
        return await self.state() == SessionState.READY

    async def attach(self) -> None:
        """Do what the gateway does when a caller's socket is open."""
        stream = self.deployment.keys.inbox(self.inbox)
        blocking = connect(self.deployment.audio_url, timeout_s=None)
        self._reader = channel.Reader(blocking)
        self._reader.add(stream, await channel.create(self.audio_redis, stream))
        self._reading = asyncio.create_task(self._read(blocking), name="inbox")
        told = {"inbox": self.inbox, "sample_rate": self.sample_rate}
        await self.send(Kind.ATTACH, told)

    async def _read(self, blocking: Redis) -> None:
        try:
            while True:
                if frames := await self._reader.frames():
                    async with self._changed:
                        for frame in frames:
                            self._take(frame)
                        self._changed.notify_all()
        finally:
            await blocking.aclose()

    def _take(self, frame: Frame) -> None:
        assert frame.session == self.session, "a frame of another session"
        self.frames.append(frame)
        if frame.kind is Kind.AUDIO_OUT:
            self.audio += frame.payload
        elif frame.kind is Kind.ADOPT:
            self._answering = asyncio.create_task(self._tell_playout(), name="playout told")
        else:
            self.events.append(frame.json())

    async def _tell_playout(self) -> None:
        """Do what the gateway does when a new holder asks: everything that came was played."""
        turn = max((frame.turn for frame in self.frames if frame.kind is Kind.AUDIO_OUT), default=0)
        audio = sum(len(frame.payload) for frame in self.frames if (frame.kind, frame.turn) == (Kind.AUDIO_OUT, turn))
        told: dict[str, Any] = {"turn": turn, "received_ms": audio / 2 / self.sample_rate * 1000, "paused": False}
        told |= {"played_ms": told["received_ms"], "sample_rate": self.sample_rate, "inbox": self.inbox}
        await self.send(Kind.PLAYOUT, told)

    async def send(self, kind: Kind, data: dict[str, Any], **more: Any) -> None:
        """Write one control frame into the lane."""
        about = {"session": self.session, "attachment": self.attachment, **more}
        await self.write(Frame(kind=kind, payload=json_payload(data), **about))

    async def write(self, *frames: Frame) -> None:
        """Write frames into the lane."""
        for frame in frames:
            self.sender.send(self.deployment.keys.lane(self.lane), frame)
        await self.sender.flush()

    async def speak(self, pcm: bytes) -> None:
        """Say something, all at once: the worker takes time from the audio itself."""
        for start in range(0, len(pcm), 640):
            self._seq += 1
            piece = pcm[start : start + 640]
            about: dict[str, Any] = {"session": self.session, "attachment": self.attachment}
            await self.write(Frame(kind=Kind.AUDIO_IN, payload=piece, seq=self._seq, **about))

    async def until(self, kind: str, timeout_s: float = 10.0, **expected: Any) -> dict[str, Any]:
        """Return the first event of this type with these values."""

        def found() -> dict[str, Any] | None:
            for event in self.events:
                if event["type"] == kind and all(event.get(name) == value for name, value in expected.items()):
                    return event
            return None

        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"no {kind} {expected} among {self.events}") from None
        event = found()
        assert event is not None
        return event

    async def until_audio(self, seconds: float, timeout_s: float = 10.0) -> None:
        """Return when this much agent audio has come."""
        wanted = round(seconds * self.sample_rate) * 2
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: len(self.audio) >= wanted)

    async def report_played(self, turn: int, *, ms: float, final: bool) -> None:
        """Do what the gateway does when a turn was paused or cleared."""
        await self.send(Kind.PLAYED, {"ms": ms, "estimated": True, "final": final}, turn=turn)

    async def log(self) -> list[dict[str, Any]]:
        """Return the session's log."""
        entries: Any = await self.redis.xrange(self.deployment.keys.session_log(self.session))
        return [json.loads(fields[b"e"]) for _, fields in entries if fields]

    async def close(self) -> None:
        """Let go of the inbox."""
        if hasattr(self, "_reading"):
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            await channel.remove(self.audio_redis, self.deployment.keys.inbox(self.inbox))


async def eventually(check: Callable[[], Any], timeout_s: float = 5.0) -> None:
    """Wait until the (async) check holds."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)

"""A call whose worker is killed, in virtual time: a lane, a gateway, a log and tasks that outlive it, and its heir.

Only the worker is real: ``SessionRunner`` between scripted engines. What it leaves behind when it is killed is the last
checkpoint that was written, by the rules of the real writer.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from conversation_harness import FRAME_BYTES, FRAME_S, Piece
from scripted_engines import Judge, Loudness, Reader, sound
from scripted_phone import Line

from voicebackend._wire import Wire
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import Capabilities, Engines, TextToSpeech, WordTime
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport
from voicebackend.streams import EntryId, Frame, Kind, json_payload
from voicebackend.tasks import AGENTS_TURN, Task
from worker.checkpoint import replay_from
from worker.session import SessionRunner

SESSION = "a" * 32
DEAD_S = 1.5
"""Seconds until somebody else has the lane."""
DUE_S, LATEST_S = 0.05, 1.0
"""When a checkpoint is written that was asked for, and when in any case."""
LETTER_S = 0.06


class StretchedVoice(TextToSpeech):
    """Speaks letters at a pace that differs on each call; every letter is told from the one before."""

    name = "stretched"
    sample_rate = PIPELINE_RATE

    def __init__(self, rng: random.Random, *, timed: bool = False) -> None:
        super().__init__()
        self._rng, self._timed, self._parity = rng, timed, 0

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the audio, 0.2 s at a time, faster than it is spoken."""
        size = round(LETTER_S * PIPELINE_RATE * self._rng.uniform(0.85, 1.2))
        await asyncio.sleep(0.08)
        pcm, at = b"", 0
        for word in text.split(" "):
            for letter in f"{word} ":
                self._parity ^= 1
                pcm += np.full(size, ord(letter) * 100 + 50 * self._parity, "<i2").tobytes()
            if self._timed and word:
                yield WordTime(word, at * size / PIPELINE_RATE, (at + len(word)) * size / PIPELINE_RATE)
            at += len(word) + 1
        for start in range(0, len(pcm), 6400):
            yield pcm[start : start + 6400]
            await asyncio.sleep(0.04)


def letters(pcm: bytes) -> str:
    """Return the letters of a stretched voice's audio; one that was cut off is among them."""
    samples = np.frombuffer(pcm, "<i2")
    samples = samples[samples >= 900]
    if not len(samples):
        return ""
    starts = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist()]
    return "".join(chr(int(samples[start]) // 100) for start in starts)


class Store(Wire):
    """The state that is in Redis: one log, and hashes."""

    def __init__(self) -> None:
        self.entries: list[tuple[EntryId, dict[str, Any]]] = []
        self.hashes: dict[str, dict[str, str]] = {}

    async def execute(self, *commands: Sequence[Any]) -> list[Any]:
        """Do what the worker asks for, a millisecond later."""
        await asyncio.sleep(0.001)
        replies = [self._one(*map(_text, command)) for command in commands]
        await asyncio.sleep(0.001)
        return replies

    def _one(self, name: str, key: str, *rest: str) -> Any:
        match name:
            case "XADD":
                self.entries.append((EntryId(len(self.entries) + 1, 0), json.loads(rest[-1])))
                return str(self.entries[-1][0]).encode()
            case "XRANGE":
                after = EntryId.parse(rest[0].removeprefix("("))
                return [
                    (str(at).encode(), [b"e", json.dumps(entry).encode()]) for at, entry in self.entries if at > after
                ]
            case "HSET":
                self.hashes.setdefault(key, {}).update(zip(rest[::2], rest[1::2], strict=True))
            case "HMGET":
                return [value.encode() if (value := self.hashes.get(key, {}).get(name)) else None for name in rest]
        return 1

    def said(self, role: str) -> list[tuple[int, str, bool]]:
        """Return turn, text, and whether it was cut off, of what one side said."""
        return [
            (entry["turn"], entry["text"], bool(entry.get("interrupted")))
            for _, entry in self.entries
            if entry["type"] == "transcript" and entry["role"] == role
        ]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class Gateway:
    """Plays what the worker of the latest epoch sends, and tells the lane."""

    def __init__(self, call: Call) -> None:
        self._call, self.line = call, Line()
        self._epoch, self._seq = 0, 0
        self.fenced = 0
        self.line.on_played = self._played

    def take(self, frame: Frame) -> None:
        """Take what comes to the inbox; what an older worker sends is dropped."""
        if (frame.epoch, frame.seq) <= (self._epoch, self._seq):
            self.fenced += 1
            return
        self._epoch, self._seq = frame.epoch, frame.seq
        match frame.kind:
            case Kind.AUDIO_OUT:
                self.line.play(frame.turn, frame.payload)
            case Kind.EVENT:
                told = frame.json()
                self.line.event(SimpleNamespace(**{"turn": 0, **told}, to_json=frame.payload.decode))
            case Kind.ADOPT:
                standing = self.line._playout.adopt(asyncio.get_running_loop().time())
                data = {name: getattr(standing, name) for name in ("turn", "received_ms", "played_ms", "paused")}
                self._call.lane.add(Kind.PLAYOUT, json_payload(data))

    def _played(self, turn: int, ms: float, *, final: bool) -> None:
        self._call.lane.add(Kind.PLAYED, json_payload({"ms": ms, "final": final}), turn=turn)


class LaneStream:
    """The lane: keeps what was written, and gives it to whoever holds it."""

    def __init__(self) -> None:
        self.entries: list[tuple[EntryId, Frame]] = []
        self.reader: Callable[[Frame, EntryId], None] | None = None
        self._audio_seq = 0

    def add(self, kind: Kind, payload: bytes = b"", **fields: int) -> None:
        """Append a frame."""
        if kind is Kind.AUDIO_IN:
            self._audio_seq += 1
            fields["seq"] = self._audio_seq
        fields.setdefault("attachment", 1 if kind < Kind.AGENT_STARTED else 0)
        now = round(asyncio.get_running_loop().time() * 1000) + 1
        entry = EntryId(now, len(self.entries))
        frame = Frame(SESSION, kind, payload, **fields)
        self.entries.append((entry, frame))
        if self.reader is not None:
            self.reader(frame, entry)


class Holder:
    """A lane as a worker knows it."""

    number = 0

    def __init__(self, epoch: int) -> None:
        self.epoch, self.wanted = epoch, asyncio.Event()

    def due(self) -> None:
        """Ask for a checkpoint."""
        self.wanted.set()

    def may_speak(self, now: float) -> bool:
        """Never in doubt here: the gateway drops what a dead worker sends."""
        del now
        return True


class Call:
    """One call, with whoever runs it."""

    def __init__(self, rng: random.Random, answers: Sequence[Sequence[Piece]], settings: dict[str, Any]) -> None:
        self.rng, self.answers, self.store, self.lane = rng, answers, Store(), LaneStream()
        self.loop = asyncio.get_running_loop()
        self.gateway, self.keys = Gateway(self), Keys()
        self.effects: list[tuple[int, int]] = []
        self.claims: list[tuple[int, int]] = []
        self.written: dict[int, str] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.problems: list[str] = []
        self._settings, self._epoch = settings, 0
        self._sounds: deque[bytes] = deque()
        self._voice = StretchedVoice(rng, timed=rng.random() < 0.3)
        self._reader, self._judge = Reader(delay_s=rng.choice((0.0, 0.1, 0.3))), Judge(rng.choice((0.4, 0.95)))
        self.checkpoint: bytes | None = None
        self.checkpoints: list[int] = []
        self.runner: SessionRunner | None = None
        self._lives: list[asyncio.Task[Any]] = []
        self.on_hold = False

    # the worker

    def start(self) -> None:
        """Let a worker run the session; from the checkpoint, if there is one."""
        self._epoch += 1
        holder = Holder(self._epoch)
        runner = SessionRunner(
            _RECORD, _config(self._settings), cast(Any, holder), self._services(),
            restored=self.checkpoint, clock=self.loop.time,
        )  # fmt: skip
        self.runner = runner
        self._lives = [
            asyncio.create_task(runner.run(), name="session"),
            asyncio.create_task(self._write(runner, holder), name="checkpoints"),
        ]
        start = EntryId() if self.checkpoint is None else replay_from(self.checkpoint)
        for entry, frame in self.lane.entries:
            if entry >= start:
                runner.deliver(frame, entry)
        self.lane.reader = runner.deliver

    async def kill(self) -> None:
        """Let the worker drop dead."""
        assert self.runner is not None
        self.lane.reader = None
        self.runner.abandon()
        await self._stop()

    async def take_over(self) -> None:
        """Kill the worker, and let another go on."""
        await self.kill()
        await asyncio.sleep(DEAD_S)
        self.start()

    async def hand_over(self) -> None:
        """Move the session to another worker on purpose."""
        assert self.runner is not None
        self.lane.reader = None
        self.checkpoint = await self.runner.hand_over() or None
        await self._stop()
        await asyncio.sleep(0.05)
        self.start()

    async def _stop(self) -> None:
        for task in self._lives:
            task.cancel()
        for outcome in await asyncio.gather(*self._lives, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.problems.append(repr(outcome))

    async def _write(self, runner: SessionRunner, holder: Holder) -> None:
        while True:
            try:
                async with asyncio.timeout(LATEST_S):
                    await holder.wanted.wait()
                await asyncio.sleep(DUE_S)
            except TimeoutError:
                pass
            holder.wanted.clear()
            taken = runner.checkpoint()
            if taken is not None:
                self.checkpoint = taken
                self.checkpoints.append(len(taken))

    def _services(self) -> Any:
        engines = Engines(stt=self._reader, tts=self._voice, vad=Loudness(), turn=self._judge)
        provider = SimpleNamespace(
            capabilities=Capabilities(transports=frozenset(Transport), pipelines=frozenset(PipelineType)),
            pipeline=lambda link: None,
        )

        async def find(*_: object) -> Any:
            return provider if len(_) == 1 else engines

        async def freed(*_: object) -> None:
            return None

        return SimpleNamespace(
            wire=self.store,
            state=SimpleNamespace(srem=freed),
            sender=SimpleNamespace(send=lambda stream, frame: self.gateway.take(frame)),
            publisher=SimpleNamespace(publish=self._publish),
            engines=SimpleNamespace(provider=find, engines=find),
            keys=self.keys,
            processors=lambda configured: [],
        )

    # the agent's task

    async def _publish(self, task: Task, **arguments: Any) -> None:
        if task is AGENTS_TURN:
            self._own(self._answer(arguments["turn"], arguments["attempt"]))

    async def _answer(self, turn: int, attempt: int) -> None:
        state = self.store.hashes.setdefault(self.keys.turn(SESSION, turn), {})
        await asyncio.sleep(self.rng.choice((0.003, 0.1)))
        if not self._wanted(state, attempt) or int(state.get("claimed", 0)) >= attempt:
            return
        state["claimed"] = str(attempt)
        self.claims.append((turn, attempt))
        self.lane.add(Kind.AGENT_STARTED, turn=turn, attempt=attempt)
        self._own(self._have_effect(turn, attempt, state))
        seq, number = 0, len({said for said, _ in self.claims if said < turn})
        self.written[turn] = "".join(
            piece for piece in self.answers[min(number, len(self.answers) - 1)] if isinstance(piece, str)
        )
        for piece in self.answers[min(number, len(self.answers) - 1)]:
            if isinstance(piece, int | float):
                await asyncio.sleep(piece)
                continue
            for word in str(piece).split(" "):
                if not self._wanted(state, attempt):
                    return
                self.lane.add(Kind.AGENT_DELTA, f"{word} ".encode(), turn=turn, attempt=attempt, seq=seq)
                seq += 1
                await asyncio.sleep(0.02)
        self.lane.add(Kind.AGENT_DONE, turn=turn, attempt=attempt, seq=seq)

    def _wanted(self, state: dict[str, str], attempt: int) -> bool:
        return int(state.get("current", 0)) == attempt and int(state.get("cancelled", 0)) < attempt

    async def _have_effect(self, turn: int, attempt: int, state: dict[str, str]) -> None:
        while self._wanted(state, attempt):
            if int(state.get("committed", 0)) == attempt:
                if state.setdefault("once:pay", str(attempt)) == str(attempt):
                    self.effects.append((turn, attempt))
                return
            await asyncio.sleep(0.02)

    # the caller

    async def microphone(self) -> None:
        """Send 20 ms after 20 ms, whoever listens."""
        due = self.loop.time()
        while True:
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - self.loop.time()))
            self.lane.add(Kind.AUDIO_IN, self._sounds.popleft() if self._sounds else bytes(FRAME_BYTES))

    async def say(self, text: str) -> None:
        """Say something; return when its last sound was sent."""
        pcm = sound(text)
        self._sounds.extend(pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
        while self._sounds:
            await asyncio.sleep(FRAME_S)

    def hold(self, on: bool) -> None:
        """Put the caller on hold, or take it off."""
        self.on_hold = on
        self.lane.add(Kind.HOLD, json_payload({"on": on}))

    def attach(self) -> None:
        """Connect the caller."""
        self.lane.add(Kind.ATTACH, json_payload({"inbox": "gateway", "sample_rate": PIPELINE_RATE}))

    def heard(self, turn: int) -> str:
        """Return the letters that were heard of a turn."""
        self.gateway.line.phone.advance()
        return letters(bytes(self.gateway.line.phone.played.get(turn, b"")))

    async def until_free(self, timeout_s: float = 60.0) -> None:
        """Wait until the conversation has come to rest."""
        still = 0
        async with asyncio.timeout(timeout_s):
            while still < 150:
                await asyncio.sleep(FRAME_S)
                quiet = self.runner is not None and self.runner.is_quiet and self.gateway.line.phone.ahead_s == 0
                still = still + 1 if quiet and not self._sounds else 0

    def _own(self, work: Any) -> None:
        task = asyncio.create_task(work, name="task")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """End everything."""
        await self.kill()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.gateway.line.close()


_RECORD = SessionRecord(
    id=SESSION,
    tenant="t",
    user_id="u",
    provider="mock",
    transport=Transport.WEBSOCKET,
    pipeline_type=PipelineType.STT_TTS,
    state=SessionState.STARTING,
    agent="scripted",
)


def _config(conversation: dict[str, Any]) -> BackendConfig:
    return BackendConfig(provider="mock", stt_provider="x", tts_provider="x", conversation=conversation)


@asynccontextmanager
async def calling(
    *answers: Sequence[Piece], seed: int = 0, settings: dict[str, Any] | None = None
) -> AsyncIterator[Call]:
    """Hold a call with an agent that gives these answers; it is attached, and its worker can be killed."""
    call = Call(random.Random(seed), answers, {"normalise": False, **(settings or {})})  # noqa: S311 - a test
    asyncio.get_running_loop().set_exception_handler(lambda _, context: call.problems.append(str(context)))
    call.start()
    await asyncio.sleep(0.1)
    call.attach()
    microphone = asyncio.create_task(call.microphone(), name="microphone")
    try:
        yield call
    finally:
        microphone.cancel()
        await asyncio.gather(microphone, return_exceptions=True)
        await call.close()
    assert call.problems == []
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert left == [], f"tasks are left: {left}"


SECONDS_PER_BYTE = 1 / SAMPLE_BYTES / PIPELINE_RATE

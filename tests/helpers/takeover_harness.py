"""A call whose worker is killed, in virtual time, and its heir.

Only the worker is real: ``SessionRunner`` between scripted engines. What it leaves behind when it is killed is the last
checkpoint that was written, by the rules of the real writer.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from conversation_harness import FRAME_BYTES, FRAME_S, Piece
from scripted_engines import Judge, Loudness, Reader, sound
from takeover_voice import StretchedVoice, letters
from takeover_world import SESSION, Gateway, Holder, LaneStream, Store

from voicebackend.audio import PIPELINE_RATE
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.digits import CollectDigits
from voicebackend.interfaces import Capabilities, Engines
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport
from voicebackend.streams import EntryId, Kind, json_payload
from voicebackend.tasks import AGENTS_TURN, Task
from worker.checkpoint import replay_from
from worker.session import SessionRunner

SECRET = "of a test"
DEAD_S = 1.5
"""Seconds until somebody else has the lane."""
DUE_S, LATEST_S = 0.05, 1.0
"""When a checkpoint is written that was asked for, and when in any case."""


class Call:
    """One call, with whoever runs it."""

    def __init__(self, rng: random.Random, answers: Sequence[Sequence[Piece]], settings: dict[str, Any]) -> None:
        self.rng, self.answers, self.store, self.lane = rng, answers, Store(), LaneStream()
        self.loop = asyncio.get_running_loop()
        self.gateway, self.keys = Gateway(self.lane), Keys()
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
        self._lives += [
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

    async def take_over(self, dead_s: float = DEAD_S) -> None:
        """Kill the worker, and let another go on so many seconds later."""
        await self.kill()
        await asyncio.sleep(dead_s)
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
        self._lives = []

    async def _write(self, runner: SessionRunner, holder: Holder) -> None:
        while True:
            try:
                async with asyncio.timeout(LATEST_S):
                    await holder.wanted.wait()
                await asyncio.sleep(DUE_S)
            except TimeoutError:
                pass
            holder.wanted.clear()
            written, holder.written = holder.written, asyncio.Event()
            taken = runner.checkpoint()
            await asyncio.sleep(self.rng.choice((0.001, 0.02)))  # Redis
            if taken is not None:
                self.checkpoint = taken
                self.checkpoints.append(len(taken))
            written.set()

    def _services(self) -> Any:
        engines = Engines(stt=self._reader, tts=self._voice, vad=Loudness(), turn=self._judge)
        provider = SimpleNamespace(
            capabilities=Capabilities(transports=frozenset(Transport), pipelines=frozenset(PipelineType)),
            pipeline=lambda link: None,
        )

        async def find(*_: object, **__: object) -> Any:
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
            secret=SECRET,
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
        self.store.alive[self.keys.turn_alive(SESSION, turn)] = str(attempt)
        self.lane.add(Kind.AGENT_STARTED, turn=turn, attempt=attempt)
        self._own(self._have_effect(turn, attempt, state))
        seq, number = 0, len({said for said, _ in self.claims if said < turn})
        self.written[turn] = " ".join(
            piece for piece in self.answers[min(number, len(self.answers) - 1)] if isinstance(piece, str)
        )
        for piece in self.answers[min(number, len(self.answers) - 1)]:
            if isinstance(piece, int | float):
                await asyncio.sleep(piece)
                continue
            if isinstance(piece, CollectDigits):
                self.lane.add(Kind.AGENT_COLLECT, piece.model_dump_json().encode(), turn=turn, attempt=attempt)
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
        while self._sounds:  # noqa: ASYNC110 - the microphone has no event
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

"""Vendors that die, hang and refuse at random moments of calls on a real worker and Redis: how the calls go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import pytest
from flaky import FlakyS2s, FlakyStt, FlakyTts, Kind, Trouble, moments
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from providers.failover.hold_tone import TONE_S
from providers.mock.tones import speak
from providers.registry import S2S, STT, TTS
from voicebackend.audio import PIPELINE_RATE
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import EngineConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Kind as FrameKind
from worker.service import serve

logger = logging.getLogger(__name__)

WORDS = "the number is four two "
SPEECH = speak(WORDS, PIPELINE_RATE, 0.03)
ANSWER = "This is the answer. And there is more."
REPLY = "the model says so"
KINDS: tuple[Kind | None, ...] = ("dead", "hang", "limit", None)
"""None breaks the connections; new ones can be made."""
ROUNDS = 20
"""Moments of trouble."""


class _Known:
    """Engines by name, whose trouble the test orders."""

    Config = EngineConfig
    trouble_of: ClassVar[dict[str, Trouble]] = {}


def _register() -> None:
    for at in ("first", "second"):
        for role, base, registry, script in (
            ("stt", FlakyStt, STT, {}),
            ("tts", FlakyTts, TTS, {"seconds_per_character": 0.03}),
            ("s2s", FlakyS2s, S2S, {"transcripts": [WORDS.strip()], "replies": [REPLY], "seconds_per_character": 0.03}),
        ):
            name = f"flaky_{role}_{at}"
            if not registry.is_registered(name):
                registry.register(name, _engine(base, name, script))


def _engine(base: Any, name: str, script: dict[str, Any]) -> Any:
    def begin(self: Any, config: EngineConfig) -> None:
        del config
        base.__init__(self, name, **script)
        _Known.trouble_of[name] = self.trouble

    return type(name, (base,), {"__init__": begin, "Config": EngineConfig, "name": name})


@pytest.fixture(autouse=True)
def engines() -> Iterator[dict[str, Trouble]]:
    """Give the trouble of each engine that was opened."""
    _register()
    _Known.trouble_of.clear()
    yield _Known.trouble_of
    assert {name: trouble.open for name, trouble in _Known.trouble_of.items() if trouble.open} == {}


Place = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def place(redis: Redis, audio: Redis, deployment: Deployment) -> AsyncIterator[Place]:
    """Give what opens calls on one worker, which runs by the first config that is given."""
    async with AsyncExitStack() as stack:
        tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: [ANSWER])
        running: list[Any] = []

        async def placed(config: BackendConfig) -> Caller:
            if not running:
                running.append(await stack.enter_async_context(serve(config, deployment, publisher=tasks)))
            [worker] = running
            lane = tasks.lane = min(worker.lanes)
            caller = Caller(deployment, redis, audio, lane)
            kind = config.pipeline_type
            agent = "echo" if kind is PipelineType.STT_TTS else ""
            about = {"worker": worker.id, "provider": config.provider, "pipeline_type": kind, "agent": agent}
            await caller.place(worker.lanes[lane].epoch, **about)
            await caller.attach()
            stack.push_async_callback(_over, worker, caller)
            await caller.until("state", state="listening")
            return caller

        yield placed


async def _over(worker: Any, caller: Caller) -> None:
    await caller.send(FrameKind.CLOSE, {})
    await eventually(lambda: caller.session not in worker.sessions)
    await caller.close()


def config(pipeline: str, **changes: Any) -> BackendConfig:
    """Return a configuration with a second engine behind each."""
    roles = ("stt", "tts", "s2s")
    failover = {role: [f"flaky_{role}_second"] for role in roles} | {"s2s_timeout": 1.5}
    named = {f"{role}_provider": f"flaky_{role}_first" for role in roles}
    listening = {"vad_provider": "energy", "turn_detection_provider": "silence", "noise_cancellation_provider": "none"}
    fields = {"provider": "local", "pipeline_type": pipeline, **named, **listening, "failover": failover, **changes}
    return BackendConfig(**fields)


def said(entries: list[dict[str, Any]], role: str) -> list[str]:
    """Return one side's words."""
    return [entry["text"].strip() for entry in entries if entry["type"] == "transcript" and entry["role"] == role]


async def turn(caller: Caller, number: int) -> None:
    """Speak, and wait for an answer to it."""
    await caller.speak(SPEECH)
    for _ in range(80):
        if len(said(await caller.log(), "agent")) >= number:
            return
        await caller.speak(bytes(640 * 5))
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("pipeline", ["stt_tts", "s2s"])
async def test_calls_go_on_whatever_happens(place: Place, engines: dict[str, Trouble], pipeline: str) -> None:
    """Twenty times the first engine of some role is in trouble; nine turns of ten are answered, each once."""
    callers, turns, over = [await place(config(pipeline)) for _ in range(4)], 0, False
    roles = ("stt", "tts") if pipeline == "stt_tts" else ("s2s",)
    random = moments(7)

    async def chaos() -> None:
        nonlocal over
        for at in range(ROUNDS):
            await asyncio.sleep(random.uniform(0.5, 1.5))
            trouble = engines[f"flaky_{random.choice(roles)}_first"]
            kind = KINDS[at % len(KINDS)]
            if kind is None:
                trouble.kill()
            else:
                trouble.order(kind)
                await asyncio.sleep(0.4)
                trouble.order(None)
        over = True

    async def call(caller: Caller) -> None:
        nonlocal turns
        number = 0
        while not over:
            turns, number = turns + 1, number + 1
            await turn(caller, number)

    async with asyncio.TaskGroup() as group:
        group.create_task(chaos(), name="chaos")
        for caller in callers:
            group.create_task(call(caller), name="call")
    logs = [await caller.log() for caller in callers]
    answer = ANSWER if pipeline == "stt_tts" else REPLY
    right = sum(said(log, "agent").count(answer) for log in logs)
    heard = [text for log in logs for text in said(log, "user")]
    logger.info("%s: %d moments, %d turns, %d answered whole", pipeline, ROUNDS, turns, right)
    assert right >= 0.9 * turns, [said(log, "agent") for log in logs]
    assert len(heard) <= turns
    assert set(heard) <= {WORDS.strip()}
    switches = [entry for log in logs for entry in log if entry["type"] == "failover"]
    assert switches
    assert all(entry["from"].endswith(("_first", "_second")) for entry in switches)


async def longest_silence_s(caller: Caller, over: asyncio.Task[None]) -> float:
    """Return for how long at most the caller hears nothing from now until the task is over."""
    now = asyncio.get_running_loop().time
    known, longest, heard_until = len(caller.audio), 0.0, now()
    while not over.done():
        await asyncio.sleep(0.02)
        if (heard := len(caller.audio)) > known:
            longest = max(longest, now() - heard_until)
            heard_until = max(heard_until, now()) + (heard - known) / 2 / caller.sample_rate
            known = heard
    return max(longest, now() - heard_until)


@pytest.mark.parametrize("kind", ["dead", "hang", "limit"])
async def test_who_waits_for_a_model_hears_an_answer_or_the_hold_tone(
    place: Place, engines: dict[str, Trouble], kind: Kind
) -> None:
    """Within 1.5 s, and as long again for a machine that is busy; a model that hangs is left after four seconds."""
    caller = await place(config("s2s", failover={"s2s": ["flaky_s2s_second"]}))
    await turn(caller, 1)
    engines["flaky_s2s_first"].order(kind)
    before = len(caller.audio)
    speaking = asyncio.create_task(turn(caller, 2), name="second turn")
    assert await longest_silence_s(caller, speaking) < 3.0
    await speaking
    assert said(await caller.log(), "agent") == [REPLY, REPLY]
    [switched] = [entry for entry in await caller.log() if entry["type"] == "failover"]
    assert switched["from"] == "flaky_s2s_first"
    if kind == "hang":
        tone_bytes = 2 * round(TONE_S * caller.sample_rate)
        assert len(caller.audio) - before >= 2 * tone_bytes


async def test_a_provider_whose_engines_are_all_dead_is_replaced(place: Place, engines: dict[str, Trouble]) -> None:
    """The session goes on with the next of the list; its record says so, for whoever takes over."""
    failover = {"s2s": ["flaky_s2s_second"], "s2s_timeout": 1.5, "provider": ["mock"]}
    settings = {"provider/mock": {"decode": True, "seconds_per_character": 0.03, "replies": ["mock goes on"]}}
    caller = await place(config("s2s", failover=failover, engine_settings=settings))
    await turn(caller, 1)
    for trouble in engines.values():
        trouble.order("dead")
    told = await caller.until("swapped")
    assert (told["swapped"], told["provider"], told["error"]) == (True, "mock", "connection_failed")
    await turn(caller, 2)
    assert said(await caller.log(), "agent") == [REPLY, "mock goes on"]
    record: Any = await caller.redis.hgetall(caller.deployment.keys.session(caller.session))
    assert (record[b"provider"], record[b"swapped"]) == (b"mock", b"True")


async def test_a_call_begins_with_the_next_provider_if_its_own_cannot_be_had(place: Place, redis: Redis) -> None:
    """The vendor is down already: nobody is turned away."""
    failover = {"provider": ["mock"]}
    settings = {"provider/mock": {"decode": True, "seconds_per_character": 0.03, "replies": ["mock begins"]}}
    fields = {"failover": failover, "engine_settings": settings, "s2s_provider": "flaky_s2s_dead"}
    if not S2S.is_registered("flaky_s2s_dead"):
        S2S.register("flaky_s2s_dead", _engine(FlakyS2s, "flaky_s2s_dead", {"fault": "connection_failed"}))
    caller = await place(config("s2s", **fields))
    await turn(caller, 1)
    assert said(await caller.log(), "agent") == ["mock begins"]
    record: Any = await redis.hgetall(caller.deployment.keys.session(caller.session))
    assert record[b"provider"] == b"mock"

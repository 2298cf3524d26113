"""A real worker on a real Redis holds conversations with provider ``mock``; gateway and agent are written by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from providers.mock.tones import speak, spoken
from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind
from worker.service import serve
from worker.worker import Worker

SPEECH = b"\x10\x20" * 3200  # 0.2 s; the mock hears ``hello from mock``
Place = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test in which anything was logged as an error: nothing here should be."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def echo(turn: int, attempt: int) -> list[str]:
    """Answer in two sentences, streamed in pieces."""
    del attempt
    return ["This is ", f"answer {turn}. And", " there is more."]


@pytest.fixture
async def tasks(audio: Redis, deployment: Deployment) -> ScriptedTasks:
    return ScriptedTasks(audio, deployment, echo)


@pytest.fixture
def config() -> BackendConfig:
    return BackendConfig(provider="mock", max_concurrent_sessions=8, timeout=2)


@pytest.fixture
async def worker(config: BackendConfig, deployment: Deployment, tasks: ScriptedTasks) -> AsyncIterator[Worker]:
    async with serve(config, deployment, publisher=tasks) as running:
        yield running


@pytest.fixture
async def place(
    worker: Worker, deployment: Deployment, redis: Redis, audio: Redis, tasks: ScriptedTasks
) -> AsyncIterator[Place]:
    """Place a session on the worker, its caller attached unless said otherwise."""
    callers: list[Caller] = []

    async def placed(*, attach: bool = True, **changes: Any) -> Caller:
        lane = tasks.lane = min(worker.lanes)
        caller = Caller(deployment, redis, audio, lane)
        callers.append(caller)
        await caller.place(worker.lanes[lane].epoch, worker=worker.id, **changes)
        if attach:
            await caller.attach()
            await caller.until("state", state="listening")
        return caller

    yield placed
    for caller in callers:
        await caller.close()


async def test_a_turn_goes_all_the_way(place: Place, tasks: ScriptedTasks) -> None:
    """Speech in, transcript, the agent's text, its audio and latencies out, and all of it in the log."""
    caller = await place()
    await caller.speak(SPEECH)
    turn = await caller.until("turn", turn=1)
    await caller.until("audio_end", turn=1)
    await caller.until("state", state="listening")
    said = await caller.until("transcript", role="agent", final=True)
    assert (await caller.until("transcript", role="user", final=True))["text"] == "hello from mock"
    assert said["text"] == "This is answer 1. And there is more."
    assert set(turn["latency_ms"]) == {"end_of_turn", "stt_final", "agent_ttft", "tts_ttfb", "e2e"}
    assert spoken(bytes(caller.audio), 16_000) == "This is answer one.And there is more."
    kinds = [entry["type"] for entry in await caller.log()]
    assert kinds == ["session", "session", "session", "transcript", "turn", "transcript"]
    assert (await caller.state(), tasks.reports(caller.session)) == ("active", [])


async def test_frames_to_the_caller_are_numbered_under_the_epoch(place: Place, worker: Worker) -> None:
    """A gateway can tell a zombie's frame and a repeat from the real thing."""
    caller = await place()
    await caller.speak(SPEECH)
    await caller.until("audio_end", turn=1)
    seqs = [frame.seq for frame in caller.frames]
    assert seqs == list(range(1, len(seqs) + 1))
    assert {frame.epoch for frame in caller.frames} == {worker.lanes[caller.lane].epoch}


async def test_two_sessions_never_mix(place: Place, tasks: ScriptedTasks) -> None:
    """Each caller hears the answer to the canary that they spoke, at the same time."""
    callers = [await place(), await place()]
    tasks.script = lambda turn, attempt: None
    words = ["zebra apple one", "falcon melon two"]
    await asyncio.gather(*(caller.speak(SPEECH) for caller in callers))
    for caller, word in zip(callers, words, strict=True):
        await eventually(lambda caller=caller: ("agents.turn", _turn(caller)) in tasks.published)
        await caller.write(*_answer(caller, word))
    for caller, word in zip(callers, words, strict=True):
        await caller.until("audio_end", turn=1)
        assert spoken(bytes(caller.audio), 16_000) == word


def _turn(caller: Caller) -> dict[str, Any]:
    return {"session_id": caller.session, "turn": 1, "attempt": 1}


def _answer(caller: Caller, text: str) -> list[Frame]:
    about = {"session": caller.session, "turn": 1, "attempt": 1}
    return [
        Frame(kind=Kind.AGENT_STARTED, **about),
        Frame(kind=Kind.AGENT_DELTA, payload=text.encode(), **about),
        Frame(kind=Kind.AGENT_DONE, seq=1, **about),
    ]


async def test_speaking_over_the_agent_clears_its_audio(place: Place, tasks: ScriptedTasks) -> None:
    """The rest is dropped, and the log says that the agent was interrupted."""
    caller = await place()
    tasks.script = lambda turn, attempt: ["A very long sentence that goes on and on for a while. "] * 5
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=1)
    await caller.until_audio(1.5)
    await caller.speak(SPEECH * 3)
    await caller.until("clear", turn=1)
    await caller.report_played(1, ms=1500.0, final=True)
    await caller.until("transcript", role="user", turn=2, final=True)
    spoken_by_agent = [entry for entry in await caller.log() if entry.get("role") == "agent"]
    # 60 ms a letter: 25 of them
    assert [(entry["text"], entry["interrupted"]) for entry in spoken_by_agent] == [("A very long sentence that", True)]


async def test_an_unclaimed_task_is_published_again(place: Place, tasks: ScriptedTasks) -> None:
    """A task that Celery lost costs a second, not the turn; only the second attempt is listened to."""
    caller = await place()
    tasks.script = lambda turn, attempt: None if attempt == 1 else ["Second try."]
    await caller.speak(SPEECH)
    await caller.until("audio_end", turn=1)
    assert spoken(bytes(caller.audio), 16_000) == "Second try."
    assert [found["attempt"] for name, found in tasks.published if name == "agents.turn"] == [1, 2]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param({"kind": Kind.AGENT_FAILED, "payload": b'{"code":"agent_error","message":"ValueError"}'},
                     "agent_error", id="raises"),
        pytest.param(None, "timeout", id="hangs"),
    ],
)  # fmt: skip
async def test_a_failing_agent_costs_the_turn_and_not_the_session(
    place: Place, tasks: ScriptedTasks, frame: dict[str, Any] | None, code: str
) -> None:
    """The caller hears an apology and can go on."""
    caller = await place()
    tasks.script = lambda turn, attempt: None
    await caller.speak(SPEECH)
    await eventually(lambda: ("agents.turn", _turn(caller)) in tasks.published)
    await caller.write(_answer(caller, "")[0])
    if frame is not None:
        await caller.write(Frame(session=caller.session, turn=1, attempt=1, **frame))
    assert (await caller.until("error"))["code"] == code
    await caller.until("audio_end", turn=1)
    assert spoken(bytes(caller.audio), 16_000).startswith("Sorry, something went wrong.")
    tasks.script = echo
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", turn=2, final=True)


async def test_an_agent_that_says_nothing_leaves_the_caller_the_floor(place: Place, tasks: ScriptedTasks) -> None:
    """No audio, no error, and the next turn is answered."""
    caller = await place()
    tasks.script = lambda turn, attempt: []
    await caller.speak(SPEECH)
    await caller.until("state", state="processing")
    await eventually(lambda: caller.events[-1] == {"type": "state", "state": "listening"})
    assert not caller.audio
    tasks.script = echo
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=2)


async def test_closing_ends_the_session_and_frees_its_slot(
    place: Place, worker: Worker, redis: Redis, deployment: Deployment, tasks: ScriptedTasks
) -> None:
    """The caller is told why, the log ends, and nothing of the session stays on the worker."""
    caller = await place()
    await caller.send(Kind.CLOSE, {"reason": "closed"})
    await caller.until("ended", reason="closed")
    await eventually(lambda: not worker.sessions)
    assert await redis.scard(deployment.keys.lane_sessions(caller.lane)) == 0
    assert (await caller.log())[-1] == {"type": "ended", "reason": "closed"}
    assert tasks.reports(caller.session)[-1] == "ended"


async def test_a_session_whose_engine_fails_to_open_fails_with_its_code(
    place: Place, worker: Worker, tasks: ScriptedTasks
) -> None:
    """What cannot be built is reported, not retried for ever, and frees its slot."""
    caller = await place(attach=False, provider="no-such-provider")
    await eventually(lambda: tasks.reports(caller.session) == ["failed"])
    assert (await caller.log())[-1] == {"type": "ended", "reason": "provider_not_found"}
    assert worker.sessions == frozenset()


async def test_a_caller_who_stops_ends_the_session(place: Place) -> None:
    """Hanging up is the end; losing the socket is not."""
    caller = await place()
    await caller.send(Kind.DETACH, {"stopped": True}, attachment=7)
    await caller.send(Kind.DETACH, {"stopped": True})
    await eventually(lambda: _ended(caller, "hangup"))


async def _ended(caller: Caller, reason: str) -> bool:
    return (await caller.log())[-1] == {"type": "ended", "reason": reason}


async def test_stopping_the_worker_ends_its_sessions_and_leaves_nothing(
    config: BackendConfig, deployment: Deployment, redis: Redis, audio: Redis, tasks: ScriptedTasks
) -> None:
    """Leases, lanes and the announcement are given back at once."""
    async with serve(config, deployment, publisher=tasks) as running:
        lane = tasks.lane = min(running.lanes)
        caller = Caller(deployment, redis, audio, lane)
        await caller.place(running.lanes[lane].epoch, worker=running.id)
        await eventually(caller.is_ready)
    assert await _ended(caller, "shutdown")
    keys = deployment.keys
    left = await redis.exists(keys.lease(lane), keys.workers(), keys.lane_sessions(lane))
    assert (left, await audio.exists(keys.lane(lane))) == (0, 0)


async def test_a_muted_caller_is_taken_to_have_finished(place: Place) -> None:
    """No frames come after the speech; silence is filled in, so the turn ends."""
    caller = await place()
    await caller.speak(speak("hi", 16_000))
    await caller.until("transcript", role="user", final=True)


async def test_a_configuration_update_reaches_new_sessions(
    place: Place, redis: Redis, deployment: Deployment, worker: Worker
) -> None:
    """An update in Redis is taken over within a heartbeat or two; running sessions keep theirs."""
    update = '{"provider_config": {"transcripts": ["something new"]}}'
    await redis.hset(deployment.keys.config(), mapping={"version": "1", "config": update})
    await eventually(lambda: worker.config.provider_config != {})
    caller = await place()
    await caller.speak(SPEECH)
    assert (await caller.until("transcript", role="user", final=True))["text"] == "something new"


async def test_an_answer_that_takes_long_to_speak_is_no_timeout(place: Place, tasks: ScriptedTasks) -> None:
    """Only the agent's thinking counts against its 2 s, not the 4 s of speech."""
    caller = await place()
    tasks.script = lambda turn, attempt: ["This sentence is quite long indeed. ", "And then a second one comes, too."]
    await caller.speak(SPEECH)
    said = await caller.until("transcript", role="agent", final=True)
    assert said["text"].endswith("too.")
    assert not [event for event in caller.events if event["type"] == "error"]


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"inbox":"i","sample_rate":"x"}'])
async def test_a_malformed_frame_costs_its_session_only(
    place: Place, worker: Worker, tasks: ScriptedTasks, caplog: pytest.LogCaptureFixture, payload: bytes
) -> None:
    """The worker and its other sessions go on."""
    healthy, broken = await place(), await place(attach=False)
    await broken.write(Frame(session=broken.session, kind=Kind.ATTACH, payload=payload))
    await eventually(lambda: "failed" in tasks.reports(broken.session))
    await healthy.speak(SPEECH)
    await healthy.until("audio_start", turn=1)
    assert worker.sessions == {healthy.session}
    caplog.clear()


async def test_a_loop_that_dies_ends_the_worker(
    config: BackendConfig, deployment: Deployment, tasks: ScriptedTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker is better than one that holds lanes and does not read them; it gives them back."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("voicebackend.channel.Reader.read", broken)
    with pytest.raises(ExceptionGroup) as caught:
        async with serve(config, deployment, publisher=tasks):
            await asyncio.sleep(10)
    assert caught.group_contains(ZeroDivisionError, depth=2)

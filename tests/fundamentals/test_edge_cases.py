"""The edge cases that the contract names, at a real websocket of real servers: what the caller hears, and what is kept.

Each test ends with a turn that works: whatever went wrong, the session lives on.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from call_harness import FRAME_S, LETTER_S, RATE, RealCaller, calling

from providers.mock.tones import speak
from voicebackend import BackendConfig, HistoryEntry, Turn, VoiceBackend
from voicebackend.codecs import Encoding

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

SCRIPT = {"decode": True, "seconds_per_character": LETTER_S}
CONFIG = BackendConfig(
    provider="mock",
    stt_provider="mock",
    tts_provider="mock",
    timeout=1,
    provider_config=SCRIPT,
    conversation={"normalise": False, "endpointing": {"min_wait": 0.5}},
)
MISSED = 8
"""Letters that may be lost, or heard twice, with a socket: a quarter of a second."""
SPIKE_S = 0.1
"""Of the agent's audio, so much at least is at the phone before it is heard."""
MOST_AHEAD_S = 0.45
"""And so much at most: a quarter of a second, and what a busy machine is late to play of it."""
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give one embedded backend to those cases that need no faults of its engines."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend


def echo(said: str) -> str:
    return f"you said {said}"


def squeezed(text: str) -> str:
    return "".join(text.split())


async def test_network_loss_mid_call(backend: VoiceBackend) -> None:
    """The caller comes back, hears the rest of what was being said, and the conversation goes on."""
    history: list[HistoryEntry] = []

    def attend(turn: Turn) -> str:
        history[:] = turn.history
        return LONG if turn.number == 1 else f"you said {turn.transcript}"

    async with calling(backend, agent=attend) as caller:
        await caller.say("hello")
        await caller.until("audio_start")
        await asyncio.sleep(1)
        await caller.lose()
        await caller.connect()
        await caller.until("audio_end")
        await caller.until("transcript", role="agent", final=True, turn=1)
        await caller.until_silent()
        heard = caller.heard(1)
        assert (heard[:20], heard[-20:]) == (LONG[:20], LONG[-20:])
        assert abs(len(heard) - len(LONG)) <= MISSED, heard
        assert await caller.ask("again") == "you said again"
    assert [(entry.text, entry.interrupted) for entry in history] == [("hello", False), (LONG, False)]


@pytest.mark.parametrize(
    ("rate", "encoding"),
    [(8_000, Encoding.PCM16), (44_100, Encoding.PCM16), (48_000, Encoding.PCM16), (8_000, Encoding.MULAW)],
)
async def test_format_mismatch_converted(backend: VoiceBackend, rate: int, encoding: Encoding) -> None:
    """The recogniser has 16 kHz, the voice 24: each caller is understood and heard in a format of its own."""
    async with calling(backend, agent_callback=echo, sample_rate=rate, encoding=encoding) as caller:
        assert await caller.ask("canary bird") == "you said canary bird"
        await caller.until("audio_end", turn=1)
        assert caller.came() == "you said canary bird"


async def test_agent_timeout_cancels(backend: VoiceBackend) -> None:
    """An agent that hangs is stopped; the caller is told, hears an apology, and is answered the next time."""
    cancelled = asyncio.Event()

    async def attend(turn: Turn) -> str:
        if turn.number > 1:
            return "here I am"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    async with calling(backend, agent=attend) as caller:
        await caller.say("hello")
        assert (await caller.until("error"))["code"] == "timeout"
        async with asyncio.timeout(5):
            await cancelled.wait()
        await caller.until("transcript", role="agent", final=True, turn=1)
        assert caller.came().startswith("Sorry, something went wrong.")
        assert await caller.ask("again") == "here I am"


async def test_latency_spike_buffered(backend: VoiceBackend) -> None:
    """Caller audio that is held up comes in a burst and is understood whole; the agent's is ahead of the ear."""
    said = "hello canary bird that sings in the morning"
    async with calling(backend, agent_callback=echo) as caller:
        pcm = speak(said, RATE, LETTER_S)
        held_up = len(speak("hello ", RATE, LETTER_S))
        await caller.send(pcm[:held_up])
        await asyncio.sleep(0.15)
        await caller.send(pcm[held_up:] + bytes(RATE * 2))
        ahead = await _most_ahead(caller, turn=1)
        answer = await caller.until("transcript", role="agent", final=True)
        assert answer["text"] == f"you said {said}"
        assert len(caller.of("transcript", role="user", final=True)) == 1
        assert await caller.ask("again") == "you said again"
    assert SPIKE_S <= ahead <= MOST_AHEAD_S, "too little hides no spike; all at once could not be taken back"


async def _most_ahead(caller: RealCaller, *, turn: int) -> float:
    """Return the most seconds of the agent that waited in the phone while a turn was played."""
    await caller.until("audio_start", turn=turn)
    most = 0.0
    async with asyncio.timeout(20):
        while not caller.of("audio_end", turn=turn):
            most = max(most, caller.phone.ahead_s)
            await asyncio.sleep(FRAME_S)
    return most


async def test_turn_detector_fails_and_silence_is_the_fallback() -> None:
    """No answer from the detector: silence and words decide, and the caller is answered all the same."""
    script = SCRIPT | {"errors": {"turn": "pipeline_error"}}
    config = CONFIG.with_fields(turn_detection_provider="mock", provider_config=script)
    async with VoiceBackend(config) as backend, calling(backend, agent_callback=echo) as caller:
        assert await caller.ask("hello") == "you said hello"
        assert await caller.ask("again") == "you said again"
        assert caller.of("error") == []


async def test_several_users_interrupt_at_once(backend: VoiceBackend) -> None:
    """Twenty callers of one worker stop their agents at the same moment: each its own, and each is remembered."""
    remembered: dict[int, list[HistoryEntry]] = {}

    def attend(number: int) -> Callable[[Turn], str]:
        def answer(turn: Turn) -> str:
            remembered[number] = list(turn.history)
            return _canary(number) if turn.number == 1 else f"stopped {number}"

        return answer

    go, dial = asyncio.Barrier(20), asyncio.Semaphore(4)

    async def hold(number: int) -> RealCaller:
        async with AsyncExitStack() as call:
            async with dial:
                caller = await call.enter_async_context(calling(backend, agent=attend(number)))
            await go.wait()
            await caller.say("begin")
            await caller.until("audio_start", turn=1)
            await asyncio.sleep(1)
            await go.wait()
            await caller.say("please stop now")
            await caller.until("clear", turn=1)
            said = await caller.until("transcript", role="agent", final=True, turn=2)
            assert said["text"] == f"stopped {number}"
            return caller

    callers = await asyncio.gather(*(hold(number) for number in range(20)))
    for number, caller in enumerate(callers):
        heard, whole = caller.heard(1), squeezed(_canary(number))
        assert whole.startswith(squeezed(heard)), f"caller {number} heard {heard!r}"
        kept = next(entry for entry in remembered[number] if entry.role == "agent")
        assert kept.interrupted
        assert whole.startswith(squeezed(kept.text))
        assert abs(len(squeezed(kept.text)) - len(squeezed(heard))) <= len("canary"), (kept.text, heard)
        assert len(squeezed(heard)) < len(whole)


def _canary(number: int) -> str:
    return " ".join([f"canary {number}"] * 40)


async def test_provider_down_or_rate_limited() -> None:
    """A voice that is limited for a moment is asked again; one that is down costs the turn; so does a recogniser."""
    limited = {"code": "rate_limit_exceeded", "calls": [1], "retry_after": 0.2}
    errors = {"tts": limited, "stt": {"code": "connection_failed", "calls": [3]}}
    config = CONFIG.with_fields(provider_config=SCRIPT | {"errors": errors}, retry_delay=0.1)
    async with VoiceBackend(config) as backend, calling(backend, agent_callback=echo) as caller:
        assert await caller.ask("hello") == "you said hello"
        assert caller.of("error") == []
        await _until_an_error(caller, "connection_failed")
        assert await caller.ask("again") == "you said again"


async def test_provider_down_for_good_costs_each_turn_and_not_the_session() -> None:
    """Every call of the voice fails: the caller is told each time."""
    config = CONFIG.with_fields(provider_config=SCRIPT | {"errors": {"tts": "pipeline_error"}})
    async with VoiceBackend(config) as backend, calling(backend, agent_callback=echo) as caller:
        for turn in (1, 2):
            since = len(caller.events)
            await caller.say("hello")
            assert (await caller.until("error", since=since))["code"] == "pipeline_error"
            await caller.until("state", since=since, state="listening")
            assert caller.of("transcript", role="user", final=True)[-1]["turn"] == turn


async def _until_an_error(caller: RealCaller, code: str) -> None:
    """Speak until the error that the script holds ready comes, and the caller has been apologised to."""
    while not caller.of("error"):
        since = len(caller.events)
        await caller.say("hello")
        await caller.until("audio_end", since=since)
        await caller.until_silent()
    assert [error["code"] for error in caller.of("error")] == [code]


async def test_buffer_overflow_under_load() -> None:
    """While recognition is slow, 20 s come at once: the oldest are dropped, the newest heard, and nobody is refused."""
    config = CONFIG.with_fields(provider_config=SCRIPT | {"stt_delay": 2})
    async with VoiceBackend(config) as backend, calling(backend, agent_callback=echo) as caller:
        await caller.say("hello")
        oldest, newest = speak("lost ", RATE, LETTER_S), speak("newest", RATE, LETTER_S)
        await caller.send(oldest + bytes(RATE * 2 * 20) + newest + bytes(RATE * 2))
        await caller.until("transcript", role="agent", final=True, text="you said newest")
        assert [said["text"] for said in caller.of("transcript", role="user", final=True)] == ["hello", "newest"]
        assert await caller.ask("again") == "you said again"
        assert caller.of("error") == []


async def test_malformed_s2s_audio() -> None:
    """Half a sample, or nothing at all: an answer is played as far as it is audio, and so is the next one."""
    voice = speak("canary", 24_000, LETTER_S)
    broken: tuple[bytes, ...] = (b"\x01", b"", voice + b"\x7f", voice)
    config = BackendConfig(
        provider="mock",
        pipeline_type="s2s",
        s2s_provider="mock",
        provider_config={"audio": [b64encode(pcm).decode() for pcm in broken], "replies": ("canary",)},
    )
    async with VoiceBackend(config) as backend, calling(backend) as caller:
        for turn in range(1, 5):
            await caller.say("hello")
            await caller.until("transcript", role="user", final=True, turn=turn)
            await caller.until_silent()
        assert caller.came().count("canary") == 2
        assert caller.of("error") == []


async def test_agent_error_and_the_session_survives(backend: VoiceBackend) -> None:
    """What an agent raises stays with it; the caller hears an apology, and the next turn is answered."""

    def attend(turn: Turn) -> Any:
        if turn.number == 1:
            raise RuntimeError("the password is 1234")
        if turn.number == 2:
            return 7
        return f"remembered {len(turn.history)}"

    async with calling(backend, agent=attend) as caller:
        for turn in (1, 2):
            since = len(caller.events)
            await caller.say("hello")
            error = await caller.until("error", since=since)
            assert error["code"] == "agent_error"
            assert "1234" not in error["message"]
            await caller.until("audio_end", turn=turn)
            await caller.until("transcript", role="agent", final=True, turn=turn)
        assert caller.came().startswith("Sorry, something went wrong.")
        assert await caller.ask("third") == "remembered 4"

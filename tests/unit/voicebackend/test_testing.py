"""The doubles and runners that applications test with."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from voicebackend import BackendConfig, Health, SessionConfig, VoiceBackend, VoiceSession
from voicebackend.consent import ConsentWord
from voicebackend.errors import (
    ConnectionFailed,
    InvalidConfig,
    SessionAlreadyActive,
    SessionLimitExceeded,
    SessionNotActive,
    SessionNotFound,
)
from voicebackend.events import Transcript
from voicebackend.testing import ConcurrentTestRunner, MockVoiceBackend, MockVoiceSession, run_load_test
from voicebackend.testing.percentiles import percentile

WANTED = SessionConfig(user_id="u", transport="websocket", agent_callback=lambda said: f"You said: {said}")


@pytest.mark.parametrize(("real", "double"), [(VoiceBackend, MockVoiceBackend), (VoiceSession, MockVoiceSession)])
def test_the_double_has_the_interface_of_the_real_one(real: type, double: type) -> None:
    """Every public method of the real class is there, with the same parameters."""
    for name, method in inspect.getmembers(real, inspect.isfunction):
        if not name.startswith("_"):
            assert (
                inspect.signature(getattr(double, name)).parameters.keys()
                == inspect.signature(method).parameters.keys()
            ), name


async def test_a_conversation_in_memory() -> None:
    """Audio in, the scripted audio and the callback's words out."""
    async with MockVoiceBackend(audio=b"\7\7") as backend, await backend.create_session(WANTED) as session:
        await session.process_audio(b"\1\2\3")
        assert await anext(session.agent_audio()) == b"\7\7"
        assert session.processed == [b"\1\2"]
        await session.process_audio(b"\4")
        assert await anext(session.agent_audio()) == b"\7\7"
        assert session.processed == [b"\1\2", b"\3\4"]
        said = [await anext(session.events()) for _ in range(6)]
        words = [message.text for message in said if isinstance(message, Transcript)]
        assert words[:2] == ["mock transcript", "You said: mock transcript"]
    assert backend.active_session_count() == 0


async def test_responses_follow_one_another() -> None:
    """``audio_responses`` are said turn by turn, then from the start again."""
    async with (
        MockVoiceBackend(audio_responses=[b"\1\1", b"\2\2"]) as backend,
        await backend.create_session(WANTED) as session,
    ):
        heard = []
        for _ in range(3):
            await session.process_audio(b"\0\0")
            heard.append(await anext(session.agent_audio()))
        assert heard == [b"\1\1", b"\2\2", b"\1\1"]


async def test_limits_and_errors_are_those_of_the_real_backend() -> None:
    """Not started, too many, unknown and started twice."""
    backend = MockVoiceBackend(max_sessions=1, auto_start_sessions=True)
    assert await backend.health_check() is Health.UNKNOWN
    with pytest.raises(SessionNotActive):
        await backend.create_session(WANTED)
    async with backend:
        assert await backend.health_check() is Health.HEALTHY
        session = await backend.create_session(WANTED)
        with pytest.raises(SessionAlreadyActive):
            await session.start()
        with pytest.raises(SessionLimitExceeded):
            await backend.create_session(WANTED)
        assert await backend.health_check() is Health.DEGRADED
        await backend.close_session(session.id)
        with pytest.raises(SessionNotFound):
            await backend.get_session(session.id)
        with pytest.raises(SessionNotActive):
            await session.process_audio(b"\0\0")


async def test_a_scripted_error_comes_from_every_operation() -> None:
    """``error`` is raised as it is."""
    with pytest.raises(ConnectionFailed, match="down"):
        await MockVoiceBackend(error=ConnectionFailed("start", "down")).start()


async def test_many_runs_at_once_are_counted() -> None:
    """Successes and failures by code; runs that time was up for are timeouts."""
    calls = iter(range(100))

    async def sometimes() -> None:
        if next(calls) % 2:
            raise SessionLimitExceeded("x")

    result = await ConcurrentTestRunner(workers=4, iterations=5, timeout=5).run(sometimes)
    assert (result.succeeded, result.failed, result.errors) == (10, 10, {"session_limit_exceeded": 10})
    hung = await ConcurrentTestRunner(workers=2, iterations=3, timeout=0.05).run(asyncio.Event().wait)
    assert (hung.succeeded, hung.errors) == (0, {"timeout": 6})


async def test_load_is_reported_with_percentiles_and_errors() -> None:
    """Sessions beyond the limit fail with its code; the others have latencies."""
    async with MockVoiceBackend(max_sessions=2, processing_delay=0.02) as backend:
        report = await run_load_test(backend, sessions=6, concurrency=3, duration=0.02)
    assert report.sessions == 6
    assert report.succeeded + sum(report.errors.values()) == 6
    assert set(report.errors) <= {"session_limit_exceeded"}
    assert 0.02 <= report.p50 <= report.p95 <= report.p99


async def test_update_config_takes_a_config_that_is_complete() -> None:
    """The double holds the same configuration rules."""
    async with MockVoiceBackend() as backend:
        changed = BackendConfig(provider="mock", max_retries=1)
        await backend.update_config(changed)
        assert backend.config is changed


@pytest.mark.parametrize(
    ("values", "percent", "expected"), [([], 50, 0), ([3.0, 1.0, 2.0], 50, 2.0), (list(range(1, 101)), 95, 95)]
)
def test_percentiles_are_values_that_were_measured(values: list[float], percent: float, expected: float) -> None:
    """Nearest rank."""
    assert percentile(values, percent) == expected


async def test_a_session_is_swapped_and_written_to() -> None:
    """As the real one is: names are checked, and a text is answered."""
    async with MockVoiceBackend() as backend, await backend.create_session(WANTED) as session:
        assert [found["name"] for found in await backend.list_providers()] == ["mock"]
        assert (await backend.swap_session(session.id, provider="other")).provider == "other"
        with pytest.raises(InvalidConfig):
            await session.swap()
        with pytest.raises(InvalidConfig):
            await session.transfer("+14155550199")
        assert await session.consent(ConsentWord(classes=("audio",), text_version="1")) == {"audio": True}
        await session.send_text("hello")
        async for message in session.events():
            if isinstance(message, Transcript) and message.role == "agent":
                assert message.text == "You said: hello"
                break

"""A session in the hands of the application, against a scripted gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from control_double import SESSION, ControlDouble, Line, greet

from voicebackend import (
    ConnectionState,
    PersistenceStatus,
    PipelineState,
    VoiceBackend,
    VoiceSession,
)
from voicebackend.client.pace import MAX_AHEAD_S, Pace
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionTimeout,
    ErrorCode,
    InvalidFormat,
    SessionAlreadyActive,
    SessionNotActive,
    SessionNotFound,
)
from voicebackend.events import AudioEnd, AudioStart, Auth, Clear, CloseCode, Ended, Error, Start, State, Stop


async def until(condition: Any, seconds: float = 5) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_the_caller_connects_with_a_token_and_a_rate(double: ControlDouble, session: VoiceSession) -> None:
    """The token goes into the sub-protocol, the rate into ``start``."""
    assert session.state() is PipelineState.IDLE
    await session.start(sample_rate=8000)
    line = double.lines[0]
    assert line.protocols == ["voicebackend.v1", "token.t0"]
    assert line.said == [Start(sample_rate=8000)]
    assert session.connection_state() is ConnectionState.CONNECTED


async def test_audio_of_any_length_is_cut_to_what_the_protocol_allows(
    double: ControlDouble, session: VoiceSession
) -> None:
    """An odd half sample waits for the next call; a message has at most 200 ms."""
    async with session:
        await session.process_audio(b"\1\2\3")
        await session.process_audio(b"\4")
        await session.process_audio(bytes(6400 * 2 + 10))
        line = double.lines[0]
        assert [len(await line.hear()) for _ in range(5)] == [2, 2, 6400, 6400, 10]
        caller = session.receive_audio()
        assert [await anext(caller), await anext(caller)] == [b"\1\2", b"\3\4"]


async def test_audio_needs_a_session_that_is_started(session: VoiceSession) -> None:
    """Before the start and after the end, audio is refused."""
    with pytest.raises(SessionNotActive):
        await session.process_audio(b"\1\2")
    with pytest.raises(SessionNotActive):
        await session.send_audio(b"\1\2")
    async with session:
        pass
    with pytest.raises(SessionNotActive, match="over"):
        await session.process_audio(b"\1\2")
    with pytest.raises(SessionNotActive, match="over"):
        await session.start()


async def test_a_session_starts_once(session: VoiceSession) -> None:
    """Starting again is an error, and the first start holds."""
    await session.start()
    with pytest.raises(SessionAlreadyActive):
        await session.start()
    assert session.connection_state() is ConnectionState.CONNECTED


async def test_a_wrong_rate_is_refused_and_the_session_can_still_start(session: VoiceSession) -> None:
    """A sample rate of 0 changes nothing."""
    with pytest.raises(InvalidFormat):
        await session.start(sample_rate=0)
    await session.start()
    assert session.sample_rate == 16000


async def test_agent_audio_and_events_come_out_in_order(double: ControlDouble, session: VoiceSession) -> None:
    """Audio and events are two streams; both end with the session, and the state follows."""

    async def speak(line: Line) -> None:
        await greet(line)
        for told in (State(state=PipelineState.SPEAKING), AudioStart(turn=1), b"\1\2", b"\3\4", AudioEnd(turn=1)):
            await line.tell(told)
        await line.tell(Ended(reason="closed"))
        await line.socket.close()

    double.scripts = [speak]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == [b"\1\2", b"\3\4"]
    told = [message.type async for message in session.events()]
    assert told == ["ready", "state", "audio_start", "audio_end", "ended"]
    assert session.persistence_status() is PersistenceStatus.COMPLETED
    assert (session.error, session.state()) == (None, PipelineState.IDLE)


async def test_what_was_cleared_is_not_handed_out(double: ControlDouble, session: VoiceSession) -> None:
    """Audio of an interrupted turn that nobody took yet is dropped; the next turn's is not."""

    async def interrupt(line: Line) -> None:
        await greet(line)
        for told in (AudioStart(turn=1), b"\1\1", Clear(turn=1), AudioStart(turn=2), b"\2\2", Ended(reason="closed")):
            await line.tell(told)
        await line.socket.close()

    double.scripts = [interrupt]
    await session.start()
    await until(lambda: session.persistence_status() is PersistenceStatus.COMPLETED)
    assert [pcm async for pcm in session.agent_audio()] == [b"\2\2"]


async def test_stop_says_so_and_waits_for_the_end(double: ControlDouble, session: VoiceSession) -> None:
    """``stop`` sends ``stop``; stopping again does nothing."""
    await session.start()
    await session.stop()
    await session.stop()
    assert await double.lines[0].hear() == Stop()
    assert [message.type async for message in session.events()] == ["ready", "ended"]
    assert session.error is None


async def test_a_lost_connection_is_found_again_with_the_resume_token(
    double: ControlDouble, backend: VoiceBackend, session: VoiceSession
) -> None:
    """The caller comes back by itself; audio sent meanwhile arrives."""
    back = asyncio.Event()

    async def return_(line: Line) -> None:
        await back.wait()
        await greet(line)

    double.scripts = [lose, return_]
    await session.start()
    await until(lambda: backend.connection_state() is ConnectionState.RECONNECTING)
    await session.process_audio(b"\1\2")
    back.set()
    await until(lambda: backend.connection_state() is ConnectionState.CONNECTED)
    line = double.lines[-1]
    assert line.protocols == ["voicebackend.v1"]
    assert line.said == [Auth(resume="resume-me"), Start(sample_rate=16000)]
    assert await line.hear() == b"\1\2"
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_a_connection_that_cannot_be_found_again_ends_the_session_with_its_error(
    double: ControlDouble, session: VoiceSession
) -> None:
    """Where the gateway refuses the return, with a fresh token too, streams end and the error is kept."""

    async def refuse(line: Line) -> None:
        await line.tell(Error(code=ErrorCode.AUTHENTICATION_FAILED, message="the token is spent"))
        await line.socket.close(code=CloseCode.UNAUTHENTICATED)

    double.scripts = [lose, refuse]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == []
    assert isinstance(session.error, AuthenticationFailed)
    assert [line.protocols[1:] for line in double.lines] == [["token.t0"], [], ["token.t0"]]
    assert session.connection_state() is ConnectionState.ERROR
    assert session.state() is PipelineState.ERROR


async def test_a_resume_token_that_was_spent_in_vain_is_no_end(double: ControlDouble, session: VoiceSession) -> None:
    """A try that the gateway took up and never answered: the next asks for a fresh token."""

    async def spent(line: Line) -> None:
        await line.tell(Error(code=ErrorCode.AUTHENTICATION_FAILED, message="the token is spent"))
        await line.socket.close(code=CloseCode.UNAUTHENTICATED)

    double.scripts = [lose, vanish, spent, greet]
    await session.start()
    await until(lambda: len(double.lines) == 4 and session.connection_state() is ConnectionState.CONNECTED)
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_who_speaks_while_the_connection_is_lost_does_not_wait_and_two_seconds_are_kept(
    double: ControlDouble, session: VoiceSession
) -> None:
    """Of five seconds; what else was said in between is not dropped."""
    back = asyncio.Event()

    async def return_(line: Line) -> None:
        await back.wait()
        await greet(line)

    double.scripts = [lose, return_]
    await session.start()
    await until(lambda: session.connection_state() is ConnectionState.RECONNECTING)
    async with asyncio.timeout(2):
        for second in range(5):
            await session.process_audio(bytes([second, 0]) * 16_000)
    back.set()
    await until(lambda: session.connection_state() is ConnectionState.CONNECTED)
    heard = b"".join([await double.lines[-1].hear() for _ in range(10)])
    assert heard == bytes([3, 0]) * 16_000 + bytes([4, 0]) * 16_000


async def lose(line: Line) -> None:
    """Play a gateway whose connection breaks once the session listens."""
    await greet(line)
    line.cut()


async def vanish(line: Line) -> None:
    """Play a gateway that is not there yet."""
    line.cut()


async def test_a_lost_connection_is_looked_for_as_long_as_the_session_waits(
    double: ControlDouble, backend: VoiceBackend, session: VoiceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few retries requests have: the eighth try finds it."""
    monkeypatch.setattr("voicebackend.client.media.random.random", lambda: 0.01)
    double.scripts = [lose, *[vanish] * 7, greet]
    await session.start()
    await until(lambda: len(double.lines) == 9 and backend.connection_state() is ConnectionState.CONNECTED)
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_looking_for_a_lost_connection_ends_with_the_sessions_patience(
    double: ControlDouble, session: VoiceSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When time is up, streams end and the error says so."""
    monkeypatch.setattr("voicebackend.client.media.RESUME_S", 0.5)
    monkeypatch.setattr("voicebackend.client.media.random.random", lambda: 0.1)
    double.scripts = [lose, vanish]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == []
    assert isinstance(session.error, ConnectionTimeout)
    assert len(double.lines) > 3


async def test_another_socket_that_took_over_ends_this_one(double: ControlDouble, session: VoiceSession) -> None:
    """A close code that forbids coming back is the session's error."""

    async def replace(line: Line) -> None:
        await greet(line)
        await line.socket.close(code=CloseCode.REPLACED)

    double.scripts = [replace]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == []
    assert isinstance(session.error, SessionAlreadyActive)
    assert len(double.lines) == 1


async def test_a_refusal_at_the_start_is_raised(double: ControlDouble, session: VoiceSession) -> None:
    """An error before ``ready`` is raised from ``start``, and the session may be started later."""

    async def refuse(line: Line) -> None:
        await line.tell(Error(code=ErrorCode.SESSION_NOT_FOUND, message="no such session"))
        await line.socket.close(code=CloseCode.NOT_FOUND)

    double.scripts = [refuse, greet]
    with pytest.raises(SessionNotFound, match="no such session"):
        await session.start()
    await session.start()
    assert session.connection_state() is ConnectionState.CONNECTED


async def test_metadata_and_agent_are_changed_over_http(double: ControlDouble, session: VoiceSession) -> None:
    """The view that the session shows is the one the server answers with."""
    await session.update_metadata({"plan": "silver"})
    assert session.view.metadata == {"plan": "silver"}
    await session.set_agent("other")
    assert double.requests[-1] == ("PATCH", f"/v1/sessions/{SESSION}", {"agent": "other"})


async def test_audio_for_the_caller_goes_over_http_at_the_sessions_rate(
    double: ControlDouble, session: VoiceSession
) -> None:
    """``send_audio`` posts raw PCM with its rate."""
    async with session:
        await session.send_audio(b"\1\2")
        assert double.requests[-1] == ("POST", f"/v1/sessions/{SESSION}/audio?sample_rate=16000", b"\1\2")


def test_audio_far_ahead_of_real_time_waits() -> None:
    """A file may be pushed in at once: beyond ten seconds ahead it is sent as time passes."""
    pace = Pace()
    assert pace.wait_s(MAX_AHEAD_S, now=100) == 0
    assert pace.wait_s(2, now=100) == 2
    assert pace.wait_s(1, now=103) == 0
    assert pace.wait_s(1, now=500) == 0

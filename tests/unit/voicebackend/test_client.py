"""The client library against servers elsewhere, played by a double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from control_double import KEY, SESSION, ControlDouble, Line, control_double, greet, problem

from voicebackend import (
    BackendConfig,
    ConnectionState,
    Health,
    PersistenceStatus,
    PipelineState,
    SessionConfig,
    VoiceBackend,
    VoiceSession,
)
from voicebackend.client.session import MAX_AHEAD_S, Pace
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ErrorCode,
    InvalidConfig,
    InvalidFormat,
    RateLimitExceeded,
    SessionAlreadyActive,
    SessionNotActive,
    SessionNotFound,
)
from voicebackend.events import AudioEnd, AudioStart, Auth, Clear, CloseCode, Ended, Error, Start, State, Stop

CONFIG = BackendConfig(provider="mock", timeout=2, max_retries=2, retry_delay=0.1)
WANTED = SessionConfig(user_id="u", transport="websocket", agent="greeter", metadata={"plan": "gold"})


@pytest.fixture
async def control() -> AsyncIterator[ControlDouble]:
    """Give a double of control."""
    async with control_double() as double:
        yield double


@pytest.fixture
async def backend(control: ControlDouble) -> AsyncIterator[VoiceBackend]:
    """Give a backend that uses the double."""
    async with VoiceBackend(CONFIG, control_url=control.url, api_key=KEY) as backend:
        yield backend


@pytest.fixture
async def session(backend: VoiceBackend) -> VoiceSession:
    """Give a session that is not started."""
    return await backend.create_session(WANTED)


async def until(condition: Any, seconds: float = 5) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


# ---------------------------------------------------------------- the backend


async def test_a_session_is_asked_for_as_the_api_wants_it(control: ControlDouble, session: VoiceSession) -> None:
    """The request has the session's fields, and the backend's provider and pipeline."""
    assert control.requests[-1] == (
        "POST",
        "/v1/sessions",
        {
            "user_id": "u",
            "transport": "websocket",
            "agent": "greeter",
            "provider": "mock",
            "pipeline_type": "stt_tts",
            "metadata": {"plan": "gold"},
            "memory_config": {},
            "orchestration_config": {},
            "rag_config": {},
        },
    )
    assert session.id == SESSION
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_the_address_may_come_from_the_environment(
    control: ControlDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VOICEBACKEND_CONTROL_URL and VOICEBACKEND_API_KEY take the place of the arguments."""
    monkeypatch.setenv("VOICEBACKEND_CONTROL_URL", control.url + "/")
    monkeypatch.setenv("VOICEBACKEND_API_KEY", KEY)
    async with VoiceBackend(CONFIG) as backend:
        assert backend.connection_state() is ConnectionState.CONNECTED
    assert backend.connection_state() is ConnectionState.DISCONNECTED


async def test_a_wrong_key_is_told_at_the_start(control: ControlDouble) -> None:
    """Starting with a key that is not known fails, and leaves the backend in state error."""
    backend = VoiceBackend(CONFIG, control_url=control.url, api_key="wrong")
    with pytest.raises(AuthenticationFailed, match="not known"):
        await backend.start()
    assert backend.connection_state() is ConnectionState.ERROR


async def test_servers_that_are_not_there_are_a_connection_failure() -> None:
    """An address where nobody listens is told as such once the retries are used up."""
    backend = VoiceBackend(CONFIG, control_url="http://127.0.0.1:1", api_key=KEY)
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1 cannot be reached"):
        await backend.start()


@pytest.mark.parametrize("given", [{"agent_callback": lambda said: said}, {"agent": lambda turn: "hi"}])
async def test_functions_cannot_be_called_by_servers_elsewhere(backend: VoiceBackend, given: dict[str, Any]) -> None:
    """A callable agent is refused with the advice to register it there by name."""
    with pytest.raises(InvalidConfig, match=r"@agent\(name\)") as caught:
        await backend.create_session(SessionConfig(user_id="u", transport="websocket", **given))
    assert caught.value.details["field"] in given


def test_hook_objects_cannot_be_called_by_servers_elsewhere() -> None:
    """A hook that is an object is refused before anything is done, naming the field; a dotted name is fine."""
    with pytest.raises(InvalidConfig, match="rate_limiter"):
        VoiceBackend(CONFIG.with_rate_limiter(object()), control_url="http://x", api_key=KEY)
    VoiceBackend(CONFIG.with_rate_limiter("limits:Limiter"), control_url="http://x", api_key=KEY)


async def test_nothing_can_be_done_before_the_start() -> None:
    """Operations before ``start`` say so; health is unknown."""
    backend = VoiceBackend(CONFIG, control_url="http://x", api_key=KEY)
    with pytest.raises(SessionNotActive, match="not started"):
        await backend.create_session(WANTED)
    with pytest.raises(SessionNotActive, match="not started"):
        await backend.update_config(CONFIG)
    assert await backend.health_check() is Health.UNKNOWN
    await backend.stop()


async def test_a_rate_limit_is_waited_for_and_the_request_repeated(
    control: ControlDouble, backend: VoiceBackend
) -> None:
    """A retryable problem is tried again; the session is there in the end."""
    control.http.problems.append(problem(429, "rate_limit_exceeded", "slow down"))
    assert (await backend.create_session(WANTED)).id == SESSION


async def test_problems_become_our_errors_with_their_facts(control: ControlDouble, backend: VoiceBackend) -> None:
    """The code chooses the class; detail and details come along; what is not retryable is not repeated."""
    control.http.problems.append(problem(404, "session_not_found", "gone", session="x"))
    before = len(control.requests)
    with pytest.raises(SessionNotFound, match="gone") as caught:
        await backend.get_session("x")
    assert caught.value.details == {"session": "x"}
    assert len(control.requests) == before + 1


async def test_retries_end(control: ControlDouble, backend: VoiceBackend) -> None:
    """After the configured retries the error is raised."""
    control.http.problems.extend(problem(429, "rate_limit_exceeded", "slow down") for _ in range(5))
    with pytest.raises(RateLimitExceeded):
        await backend.list_sessions()
    assert len(control.http.problems) == 2


async def test_a_server_that_is_no_voice_backend_is_recognised(control: ControlDouble, backend: VoiceBackend) -> None:
    """An answer that is no problem document is told with its status."""
    control.http.problems.extend(web.Response(status=502, text="<html>") for _ in range(3))
    with pytest.raises(ConnectionFailed, match="502"):
        await backend.list_sessions()


async def test_sessions_are_listed_got_and_closed(control: ControlDouble, backend: VoiceBackend) -> None:
    """Listing leaves out what is over; the object that made a session is the one that is got."""
    session = await backend.create_session(WANTED)
    assert await backend.list_sessions() == [session]
    assert await backend.get_session(SESSION) is session
    assert backend.active_session_count() == 1
    await backend.close_session(SESSION)
    assert control.requests[-1][:2] == ("DELETE", f"/v1/sessions/{SESSION}")
    assert backend.active_session_count() == 0


async def test_the_configuration_is_sent_without_objects(control: ControlDouble, backend: VoiceBackend) -> None:
    """``update_config`` sends plain values; the backend's own changes once the servers took it."""
    changed = CONFIG.with_max_retries(1)
    await backend.update_config(changed)
    method, path, body = control.requests[-1]
    assert (method, path, body["max_retries"]) == ("PUT", "/v1/config", 1)
    assert backend.config == changed


# ---------------------------------------------------------------- a session


async def test_the_caller_connects_with_a_token_and_a_rate(control: ControlDouble, session: VoiceSession) -> None:
    """The token goes into the sub-protocol, the rate into ``start``."""
    await session.start(sample_rate=8000)
    line = control.lines[0]
    assert line.protocols == ["voicebackend.v1", "token.t0"]
    assert line.said == [Start(sample_rate=8000)]
    assert session.connection_state() is ConnectionState.CONNECTED


async def test_audio_of_any_length_is_cut_to_what_the_protocol_allows(
    control: ControlDouble, session: VoiceSession
) -> None:
    """An odd half sample waits for the next call; a message has at most 200 ms."""
    async with session:
        await session.process_audio(b"\1\2\3")
        await session.process_audio(b"\4")
        await session.process_audio(bytes(6400 * 2 + 10))
        line = control.lines[0]
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


async def test_agent_audio_and_events_come_out_in_order(control: ControlDouble, session: VoiceSession) -> None:
    """Audio and events are two streams; both end with the session, and the state follows."""

    async def speak(line: Line) -> None:
        await greet(line)
        for told in (State(state=PipelineState.SPEAKING), AudioStart(turn=1), b"\1\2", b"\3\4", AudioEnd(turn=1)):
            await line.tell(told)
        await line.tell(Ended(reason="closed"))
        await line.socket.close()

    control.sessions.scripts = [speak]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == [b"\1\2", b"\3\4"]
    told = [message.type async for message in session.events()]
    assert told == ["ready", "state", "audio_start", "audio_end", "ended"]
    assert session.persistence_status() is PersistenceStatus.COMPLETED
    assert (session.error, session.state()) == (None, PipelineState.IDLE)


async def test_what_was_cleared_is_not_handed_out(control: ControlDouble, session: VoiceSession) -> None:
    """Audio of an interrupted turn that nobody took yet is dropped; the next turn's is not."""

    async def interrupt(line: Line) -> None:
        await greet(line)
        for told in (AudioStart(turn=1), b"\1\1", Clear(turn=1), AudioStart(turn=2), b"\2\2", Ended(reason="closed")):
            await line.tell(told)
        await line.socket.close()

    control.sessions.scripts = [interrupt]
    await session.start()
    await until(lambda: session.persistence_status() is PersistenceStatus.COMPLETED)
    assert [pcm async for pcm in session.agent_audio()] == [b"\2\2"]


async def test_stop_says_so_and_waits_for_the_end(control: ControlDouble, session: VoiceSession) -> None:
    """``stop`` sends ``stop``; stopping again does nothing."""
    await session.start()
    await session.stop()
    await session.stop()
    assert await control.lines[0].hear() == Stop()
    assert [message.type async for message in session.events()] == ["ready", "ended"]
    assert session.error is None


async def test_a_lost_connection_is_found_again_with_the_resume_token(
    control: ControlDouble, backend: VoiceBackend, session: VoiceSession
) -> None:
    """The caller comes back by itself; audio sent meanwhile arrives."""

    async def lose(line: Line) -> None:
        await greet(line)
        line.cut()

    back = asyncio.Event()

    async def return_(line: Line) -> None:
        await back.wait()
        await greet(line)

    control.sessions.scripts = [lose, return_]
    await session.start()
    await until(lambda: backend.connection_state() is ConnectionState.RECONNECTING)
    await session.process_audio(b"\1\2")
    back.set()
    await until(lambda: backend.connection_state() is ConnectionState.CONNECTED)
    line = control.lines[-1]
    assert line.protocols == ["voicebackend.v1"]
    assert line.said == [Auth(resume="resume-me"), Start(sample_rate=16000)]
    assert await line.hear() == b"\1\2"
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_a_connection_that_cannot_be_found_again_ends_the_session_with_its_error(
    control: ControlDouble, session: VoiceSession
) -> None:
    """Where the gateway refuses the return, streams end and the error is kept."""

    async def lose(line: Line) -> None:
        await greet(line)
        line.cut()

    async def refuse(line: Line) -> None:
        await line.tell(Error(code=ErrorCode.AUTHENTICATION_FAILED, message="the token is spent"))
        await line.socket.close(code=CloseCode.UNAUTHENTICATED)

    control.sessions.scripts = [lose, refuse]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == []
    assert isinstance(session.error, AuthenticationFailed)
    assert session.connection_state() is ConnectionState.ERROR
    assert session.state() is PipelineState.ERROR


async def test_another_socket_that_took_over_ends_this_one(control: ControlDouble, session: VoiceSession) -> None:
    """A close code that forbids coming back is the session's error."""

    async def replace(line: Line) -> None:
        await greet(line)
        await line.socket.close(code=CloseCode.REPLACED)

    control.sessions.scripts = [replace]
    await session.start()
    assert [pcm async for pcm in session.agent_audio()] == []
    assert isinstance(session.error, SessionAlreadyActive)
    assert len(control.lines) == 1


async def test_a_refusal_at_the_start_is_raised(control: ControlDouble, session: VoiceSession) -> None:
    """An error before ``ready`` is raised from ``start``, and the session may be started later."""

    async def refuse(line: Line) -> None:
        await line.tell(Error(code=ErrorCode.SESSION_NOT_FOUND, message="no such session"))
        await line.socket.close(code=CloseCode.NOT_FOUND)

    control.sessions.scripts = [refuse, greet]
    with pytest.raises(SessionNotFound, match="no such session"):
        await session.start()
    await session.start()
    assert session.connection_state() is ConnectionState.CONNECTED


async def test_metadata_and_agent_are_changed_over_http(control: ControlDouble, session: VoiceSession) -> None:
    """The view that the session shows is the one the server answers with."""
    await session.update_metadata({"plan": "silver"})
    assert session.view.metadata == {"plan": "silver"}
    await session.set_agent("other")
    assert control.requests[-1] == ("PATCH", f"/v1/sessions/{SESSION}", {"agent": "other"})


async def test_audio_for_the_caller_goes_over_http_at_the_sessions_rate(
    control: ControlDouble, session: VoiceSession
) -> None:
    """``send_audio`` posts raw PCM with its rate."""
    async with session:
        await session.send_audio(b"\1\2")
        assert control.requests[-1] == ("POST", f"/v1/sessions/{SESSION}/audio?sample_rate=16000", b"\1\2")


def test_audio_far_ahead_of_real_time_waits() -> None:
    """A file may be pushed in at once: beyond ten seconds ahead it is sent as time passes."""
    pace = Pace()
    assert pace.wait_s(MAX_AHEAD_S, now=100) == 0
    assert pace.wait_s(2, now=100) == 2
    assert pace.wait_s(1, now=103) == 0
    assert pace.wait_s(1, now=500) == 0

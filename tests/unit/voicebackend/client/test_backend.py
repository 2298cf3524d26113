"""The client library against servers elsewhere, played by a double."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from control_double import CONFIG, KEY, SESSION, WANTED, ControlDouble, problem

from voicebackend import (
    ConnectionState,
    Health,
    PersistenceStatus,
    SessionConfig,
    VoiceBackend,
    VoiceSession,
)
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidConfig,
    RateLimitExceeded,
    SessionNotActive,
    SessionNotFound,
)


async def test_a_session_is_asked_for_as_the_api_wants_it(double: ControlDouble, session: VoiceSession) -> None:
    """The request has the session's fields, and the backend's provider and pipeline."""
    assert double.requests[-1] == (
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
            "conversation": {},
        },
    )
    assert session.id == SESSION
    assert session.persistence_status() is PersistenceStatus.ACTIVE


async def test_the_address_may_come_from_the_environment(
    double: ControlDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VOICEBACKEND_CONTROL_URL and VOICEBACKEND_API_KEY take the place of the arguments."""
    monkeypatch.setenv("VOICEBACKEND_CONTROL_URL", double.url + "/")
    monkeypatch.setenv("VOICEBACKEND_API_KEY", KEY)
    async with VoiceBackend(CONFIG) as backend:
        assert backend.connection_state() is ConnectionState.CONNECTED
    assert backend.connection_state() is ConnectionState.DISCONNECTED


async def test_a_wrong_key_is_told_at_the_start(double: ControlDouble) -> None:
    """Starting with a key that is not known fails, and leaves the backend in state error."""
    backend = VoiceBackend(CONFIG, control_url=double.url, api_key="wrong")
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
    double: ControlDouble, backend: VoiceBackend
) -> None:
    """A retryable problem is tried again; the session is there in the end."""
    double.problems.append(problem(429, "rate_limit_exceeded", "slow down"))
    assert (await backend.create_session(WANTED)).id == SESSION


@pytest.mark.parametrize(("wait", "prefer"), [(False, "wait=5"), (True, "wait=5, rate-limit=wait")])
async def test_the_servers_limiter_is_waited_for_if_asked(
    double: ControlDouble, backend: VoiceBackend, wait: bool, prefer: str
) -> None:
    """Only then: else a refusal would come late."""
    await backend.create_session(WANTED, wait_for_rate_limit=wait)
    assert double.headers["Prefer"] == prefer


async def test_problems_become_our_errors_with_their_facts(double: ControlDouble, backend: VoiceBackend) -> None:
    """The code chooses the class; detail and details come along; what is not retryable is not repeated."""
    double.problems.append(problem(404, "session_not_found", "gone", session="x"))
    before = len(double.requests)
    with pytest.raises(SessionNotFound, match="gone") as caught:
        await backend.get_session("x")
    assert caught.value.details == {"session": "x"}
    assert len(double.requests) == before + 1


async def test_retries_end(double: ControlDouble, backend: VoiceBackend) -> None:
    """After the configured retries the error is raised."""
    double.problems.extend(problem(429, "rate_limit_exceeded", "slow down") for _ in range(5))
    with pytest.raises(RateLimitExceeded):
        await backend.list_sessions()
    assert len(double.problems) == 2


async def test_a_server_that_is_no_voice_backend_is_recognised(double: ControlDouble, backend: VoiceBackend) -> None:
    """An answer that is no problem document is told with its status."""
    double.problems.extend(web.Response(status=502, text="<html>") for _ in range(3))
    with pytest.raises(ConnectionFailed, match="502"):
        await backend.list_sessions()


async def test_sessions_are_listed_got_and_closed(double: ControlDouble, backend: VoiceBackend) -> None:
    """Listing leaves out what is over; the object that made a session is the one that is got."""
    session = await backend.create_session(WANTED)
    assert await backend.list_sessions() == [session]
    assert await backend.get_session(SESSION) is session
    assert backend.active_session_count() == 1
    await backend.close_session(SESSION)
    assert double.requests[-1][:2] == ("DELETE", f"/v1/sessions/{SESSION}")
    assert backend.active_session_count() == 0


async def test_the_configuration_is_sent_without_objects(double: ControlDouble, backend: VoiceBackend) -> None:
    """``update_config`` sends plain values; the backend's own changes once the servers took it."""
    changed = CONFIG.with_max_retries(1)
    await backend.update_config(changed)
    method, path, body = double.requests[-1]
    assert (method, path, body["max_retries"]) == ("PUT", "/v1/config", 1)
    assert backend.config == changed

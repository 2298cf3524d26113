"""The embedded library: everything real, started by one object and ended with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from voicebackend import (
    AuthResult,
    BackendConfig,
    ConnectionState,
    Health,
    PersistenceStatus,
    SessionConfig,
    Turn,
    VoiceBackend,
    VoiceSession,
    agent,
)
from voicebackend.errors import AuthenticationFailed, InvalidConfig, ProviderNotFound, RateLimitExceeded
from voicebackend.events import Error, Transcript

pytestmark = pytest.mark.integration

CONFIG = BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")
LOUD = bytes([0, 32]) * 320
"""20 ms that the mock takes for speech."""
SESAME = "open-sesame"
"""What the auth hook of these tests lets in."""
HEARD = "hello from mock"
"""What the mock recognises unless told otherwise."""


def wanted(**fields: Any) -> SessionConfig:
    """Return a session config of user ``u``."""
    return SessionConfig(user_id="u", transport="websocket", **fields)


async def answer_of(session: VoiceSession) -> str:
    """Speak, and return what the agent says, once it is said."""
    await session.process_audio(LOUD)
    return await next_words(session)


async def next_words(session: VoiceSession) -> str:
    """Return what the agent says next, once it is said."""
    async with asyncio.timeout(15):
        async for message in session.events():
            if isinstance(message, Transcript) and message.role == "agent" and message.final:
                return message.text
    raise AssertionError("the session ended without an answer")


async def next_error(session: VoiceSession) -> Error:
    """Speak, and return the error that follows."""
    await session.process_audio(LOUD)
    async with asyncio.timeout(15):
        async for message in session.events():
            if isinstance(message, Error):
                return message
    raise AssertionError("the session ended without an error")


@pytest.fixture
async def backend() -> AsyncIterator[VoiceBackend]:
    """Give an embedded backend of mock engines."""
    async with VoiceBackend(CONFIG) as backend:
        yield backend


async def test_backend_and_session_start_within_two_seconds_each() -> None:
    """From nothing to a backend, and from there to a session that listens; 4 s are allowed on a busy machine."""
    began = time.monotonic()
    async with VoiceBackend(CONFIG) as backend:
        assert time.monotonic() - began < 4
        assert await backend.health_check() is Health.HEALTHY
        began = time.monotonic()
        async with await backend.create_session(wanted(agent_callback=str)) as session:
            assert time.monotonic() - began < 2
            assert backend.active_session_count() == 1
            assert await backend.list_sessions() == [session]
        assert session.persistence_status() is PersistenceStatus.COMPLETED
        assert backend.active_session_count() == 0
    assert backend.connection_state() is ConnectionState.DISCONNECTED


def plain(said: str) -> str:
    return f"plain {said}"


async def coroutine(said: str) -> str:
    await asyncio.sleep(0)
    return f"coroutine {said}"


def generator(said: str) -> Iterator[str]:
    yield "generator "
    yield said


async def async_generator(said: str) -> AsyncIterator[str]:
    yield "async_generator "
    await asyncio.sleep(0)
    yield said


async def test_a_callback_of_any_kind_answers(backend: VoiceBackend) -> None:
    """A function of this process answers a conversation that runs in another."""

    async def answer_by(callback: Callable[[str], Any]) -> str:
        async with await backend.create_session(wanted(agent_callback=callback)) as session:
            return await answer_of(session)

    kinds = (plain, coroutine, generator, async_generator)
    answers = await asyncio.gather(*map(answer_by, kinds))
    assert answers == [f"{callback.__name__} {HEARD}" for callback in kinds]


async def test_an_agent_is_given_the_turn(backend: VoiceBackend) -> None:
    """A callable agent gets history, user and metadata; a side effect happens once."""
    effects: list[str] = []

    def attend(turn: Turn) -> str:
        for _ in range(2):
            turn.once("booking", lambda: effects.append(turn.transcript))
        said = [entry.text for entry in turn.history]
        return f"{turn.user_id} {turn.metadata['plan']} {turn.number} {len(said)}"

    async with await backend.create_session(wanted(agent=attend, metadata={"plan": "gold"})) as session:
        assert await answer_of(session) == "u gold 1 0"
        assert await answer_of(session) == "u gold 2 2"
    assert effects == [HEARD, HEARD]


async def test_an_agent_registered_here_is_found_by_its_name(backend: VoiceBackend) -> None:
    """``@agent`` in the application is enough; the servers need not import its module."""

    @agent("registered-in-a-test")
    def greet(turn: Turn) -> str:
        return f"registered {turn.transcript}"

    async with await backend.create_session(wanted(agent="registered-in-a-test")) as session:
        assert await answer_of(session) == f"registered {HEARD}"


async def test_the_agent_can_be_exchanged_during_the_call(backend: VoiceBackend) -> None:
    """The next turn is answered by the new one."""
    async with await backend.create_session(wanted(agent_callback=lambda _: "first")) as session:
        assert await answer_of(session) == "first"
        await session.set_agent_callback(lambda _: "second")
        assert await answer_of(session) == "second"
        await session.set_agent(lambda turn: f"third {turn.number}")
        assert await answer_of(session) == "third 3"


async def test_an_agent_that_raises_is_an_error_and_the_session_goes_on(backend: VoiceBackend) -> None:
    """What it raised stays in this process; the caller hears of an agent error."""

    def fail(said: str) -> str:
        raise RuntimeError("the password is 1234")

    async with await backend.create_session(wanted(agent_callback=fail)) as session:
        error = await next_error(session)
        assert error.code == "agent_error"
        assert "1234" not in error.message
        assert await next_words(session)  # an apology
        await session.set_agent_callback(lambda _: "better now")
        assert await answer_of(session) == "better now"


async def test_an_answer_that_is_no_text_is_an_error(backend: VoiceBackend) -> None:
    """Whatever else a callback returns is refused by its type."""

    async def error_for(garbage: object) -> str:
        async with await backend.create_session(wanted(agent_callback=lambda _: garbage)) as session:
            return (await next_error(session)).message

    messages = await asyncio.gather(*map(error_for, (7, b"bytes", {"a": 1})))
    assert messages == [f"the agent gave {kind}; text is needed" for kind in ("int", "bytes", "dict")]


async def test_two_sessions_at_once_do_not_mix(backend: VoiceBackend) -> None:
    """Each session's own callback answers it, however they interleave."""
    async with (
        await backend.create_session(wanted(agent_callback=lambda _: "canary one")) as one,
        await backend.create_session(wanted(agent_callback=lambda _: "canary two")) as two,
    ):
        for _ in range(3):
            assert await asyncio.gather(answer_of(one), answer_of(two)) == ["canary one", "canary two"]


async def test_the_applications_own_audio_reaches_the_caller(backend: VoiceBackend) -> None:
    """What ``send_audio`` takes comes out of ``agent_audio`` without the agent's doing."""
    async with await backend.create_session(wanted(agent_callback=str)) as session:
        tone = bytes([0, 32]) * 1600
        await session.send_audio(tone)
        heard = b""
        async with asyncio.timeout(10):
            async for pcm in session.agent_audio():
                heard += pcm
                if len(heard) >= len(tone):
                    break
        assert heard.count(bytes([0, 32])) > 1000


class Hooks:
    """Hooks of this process, counting how often they are asked."""

    name, order = "counter", 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = True

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        return AuthResult(user_id="u", authorized=token == SESAME)

    async def authorize(self, user_id: str, operation: str) -> bool:
        self.asked.append(operation)
        return True

    async def allow(self, key: str) -> bool:
        self.asked.append(key)
        return self.allowed

    async def wait(self, key: str) -> None:
        return None

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        return True

    async def retention_period(self, data_class: str) -> timedelta:
        return timedelta(hours=1)

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        self.asked.append(metadata["direction"])
        return audio


async def test_hooks_that_are_objects_are_asked_here() -> None:
    """Auth, rate limit and processors of this process decide for servers in another."""
    hooks = Hooks()
    config = CONFIG.with_auth_hook(hooks).with_rate_limiter(hooks).with_custom_processors([hooks])
    config = config.with_retry_delay(0.1).with_max_retries(1)
    async with VoiceBackend(config, api_key=SESAME) as backend:
        async with await backend.create_session(wanted(agent_callback=str)) as session:
            assert await answer_of(session) == HEARD
        assert {"sessions.create", "default:u:sessions.create", "in", "out"} <= set(hooks.asked)
        hooks.allowed = False
        with pytest.raises(RateLimitExceeded):
            await backend.create_session(wanted(agent_callback=str))


async def test_an_auth_hook_that_refuses_is_told_at_the_start() -> None:
    """The backend does not start with a key that its own hook does not know."""
    with pytest.raises(AuthenticationFailed):
        await VoiceBackend(CONFIG.with_auth_hook(Hooks()), api_key="wrong").start()
    assert children_of(os.getpid()) == []


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (CONFIG.with_provider("nobody"), ProviderNotFound, "nobody"),
        (BackendConfig(provider="local", tts_provider="hibari"), InvalidConfig, "stt_provider"),
        (CONFIG.with_stt_provider("nobody").with_provider("local"), ProviderNotFound, "nobody"),
        (CONFIG.with_auth_hook(object()), InvalidConfig, "authenticate"),
        (CONFIG.with_rate_limiter("no.such:thing"), InvalidConfig, "rate_limiter"),
        (CONFIG.with_memory(object()), InvalidConfig, "memory"),
    ],
)
async def test_a_configuration_that_cannot_run_is_told_at_the_start(
    config: BackendConfig, error: type[Exception], words: str
) -> None:
    """The child's reason arrives as the same error here, and nothing is left running."""
    backend = VoiceBackend(config)
    with pytest.raises(error, match=words):
        async with backend:
            pass
    assert backend.connection_state() is ConnectionState.ERROR
    assert children_of(os.getpid()) == []


def test_a_configuration_without_provider_starts_nothing() -> None:
    """What can be judged here is judged before anything is started."""
    with pytest.raises(InvalidConfig, match="provider"):
        VoiceBackend(BackendConfig())


async def test_the_configuration_can_change_while_it_runs(backend: VoiceBackend) -> None:
    """A change reaches the servers; one that is not valid, or changes a hook, changes nothing."""
    await backend.update_config(CONFIG.with_max_retries(5))
    assert backend.config.max_retries == 5
    with pytest.raises(InvalidConfig, match="rate_limiter"):
        await backend.update_config(CONFIG.with_rate_limiter(Hooks()))
    assert backend.config.max_retries == 5


async def test_servers_that_die_are_noticed(backend: VoiceBackend) -> None:
    """When the child is gone, the backend's state says so, and stopping still works."""
    session = await backend.create_session(wanted(agent_callback=str))
    await session.start()
    [host] = [pid for pid in children_of(os.getpid()) if "voicebackend.host" in command_of(pid)]
    os.kill(host, signal.SIGKILL)
    async with asyncio.timeout(10):
        while backend.connection_state() is not ConnectionState.ERROR:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    assert await backend.health_check() is Health.UNHEALTHY


PROGRAM = """
import asyncio
from voicebackend import BackendConfig, VoiceBackend
async def main():
    config = BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")
    async with VoiceBackend(config):
        print("up", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_everything_ends_with_the_application(number: int) -> None:
    """Even one that is killed leaves neither Redis nor servers behind."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        children = children_of(program.pid)
        assert len(children) >= 3  # Redis, the host, the guardian
        program.send_signal(number)
        program.wait(20)
    deadline = time.monotonic() + 15
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [command_of(pid) for pid in children if is_alive(pid)] == []


def children_of(pid: int) -> list[int]:
    """Return a process's children, the guardian of this one left out."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if pid != os.getpid() or "guardian" not in command_of(child)]


def command_of(pid: int) -> str:
    """Return a process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

"""The embedded library from start to end: everything real, started by one object and ended with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from embedded_harness import (
    CONFIG,
    children_of,
    command_of,
    environment_of,
    is_alive,
    wanted,
)

from control.sessions.store import SessionStore
from voicebackend import (
    BackendConfig,
    ConnectionState,
    Health,
    PersistenceStatus,
    PipelineType,
    SessionState,
    Transport,
    VoiceBackend,
)
from voicebackend._redis import connect
from voicebackend.errors import InvalidConfig, ProviderNotFound
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


async def test_backend_and_session_start_soon() -> None:
    """From nothing to a backend, and from there to a session that listens: 2 s each on an idle machine.

    The limits are those of a machine that runs other tests beside it.
    """
    began = time.monotonic()
    async with VoiceBackend(CONFIG) as backend:
        assert time.monotonic() - began < 30
        assert await backend.health_check() is Health.HEALTHY
        began = time.monotonic()
        async with await backend.create_session(wanted(agent_callback=str)) as session:
            assert time.monotonic() - began < 10
            assert backend.active_session_count() == 1
            assert await backend.list_sessions() == [session]
        assert session.persistence_status() is PersistenceStatus.COMPLETED
        assert backend.active_session_count() == 0
    assert backend.connection_state() is ConnectionState.DISCONNECTED


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (CONFIG.with_provider("nobody"), ProviderNotFound, "nobody"),
        (BackendConfig(provider="local", tts_provider="hibari"), InvalidConfig, "stt_provider"),
        (CONFIG.with_stt_provider("nobody").with_provider("local"), ProviderNotFound, "nobody"),
        (CONFIG.with_auth_hook(object()), InvalidConfig, "authenticate"),
        (CONFIG.with_rate_limiter("no.such:thing"), InvalidConfig, "rate_limiter"),
        (CONFIG.with_multimodal_model(object()), InvalidConfig, "object is no function and no agent"),
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


def test_a_configuration_that_lacks_what_must_be_starts_nothing() -> None:
    """What can be judged here is judged before anything is started."""
    with pytest.raises(InvalidConfig, match="provider"):
        VoiceBackend(BackendConfig())


async def test_the_configuration_can_change_while_it_runs(backend: VoiceBackend) -> None:
    """A change reaches the servers; one that is not valid, or changes a hook, changes nothing."""
    await backend.update_config(CONFIG.with_max_retries(5))
    assert backend.config.max_retries == 5
    with pytest.raises(InvalidConfig, match="rate_limiter"):
        await backend.update_config(CONFIG.with_rate_limiter("limits:Limiter"))
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


async def test_a_session_that_got_lost_is_ended(backend: VoiceBackend) -> None:
    """The schedule runs without Celery too: a session that was never placed fails within seconds."""
    [host] = [pid for pid in children_of(os.getpid()) if "voicebackend.host" in command_of(pid)]
    redis = connect(environment_of(host)["VOICEBACKEND_STATE_URL"])
    lost = SessionRecord(
        id="a" * 32,
        tenant="default",
        user_id="u",
        provider="mock",
        transport=Transport.WEBSOCKET,
        pipeline_type=PipelineType.STT_TTS,
        created_at=time.time() - 60,
    )
    try:
        await SessionStore(redis, Keys()).create(lost)
        async with asyncio.timeout(20):
            while (await backend.get_session(lost.id)).view.state is not SessionState.FAILED:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.1)
    finally:
        await redis.aclose()
    assert (await backend.get_session(lost.id)).view.reason == "timeout"


PROGRAM = """
import asyncio, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits that it is ignored
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
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "up\n"
            children = children_of(program.pid)
            assert len(children) >= 3  # Redis, the host, the guardian
            program.send_signal(number)
            program.wait(20)
        finally:
            program.kill()
    deadline = time.monotonic() + 15
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [command_of(pid) for pid in children if is_alive(pid)] == []

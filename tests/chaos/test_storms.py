"""Too much of something, while callers talk: tasks, sockets, callers who come back at once."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from celery import Celery
from chaos_agents import EFFECTS
from chaos_caller import ChaosCaller
from deployment import Site, site
from redis_roles import redis_roles
from two_gateways import two_gateways

from voicebackend import BackendConfig, ConnectionState, SessionConfig, VoiceBackend, VoiceSession
from voicebackend._redis import connect_sync
from voicebackend.errors import SessionLimitExceeded
from voicebackend.task_message import encode
from voicebackend.tasks import RETENTION_APPLY, Queue

CALLERS, TURNS = 3, 3
TASKS = 10_000
SOCKETS = 400
MANY, FEWEST = 100, 20
"""Callers who come back at once: as many as this machine has room for."""
BACK_S = 60.0
"""Seconds within which all of them are there again; a minute on a machine that runs other tests as well."""
BEGIN_S = 90.0
"""Seconds within which a call is held in the midst of it: six on a machine that does nothing else."""
LONGEST_S = 8.0
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.045, "tts_delay": 0.08},
    "conversation": {"endpointing": {"min_wait": 0.6}},
    "max_concurrent_sessions": 2 * MANY,
}

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@asynccontextmanager
async def calls(running: Site, effects: Path) -> AsyncIterator[list[ChaosCaller]]:
    """Have callers talk meanwhile: at the end each had every turn, whole and once, without a gap."""
    async with aiohttp.ClientSession() as http:
        callers = [ChaosCaller(n, running.url, running.api_key, http) for n in range(CALLERS)]
        async with asyncio.TaskGroup() as group:
            for caller in callers:
                group.create_task(caller.call(TURNS), name=f"caller {caller.number}")
            yield callers
    assert [fault for caller in callers for fault in caller.told.faults] == []
    assert [caller.told.turns for caller in callers] == [TURNS] * CALLERS
    assert max(gap for caller in callers for gap in [0.0, *caller.told.gaps_s]) < LONGEST_S
    done = Counter(_lines(effects))
    assert len(done) >= TURNS * CALLERS
    assert set(done.values()) == {1}, done


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


async def begin(running: Site, number: int) -> None:
    """Hold a call of one turn, which may have to ask for a slot more than once."""
    async with asyncio.timeout(BEGIN_S), aiohttp.ClientSession() as http:
        caller = ChaosCaller(number, running.url, running.api_key, http)
        while not caller.session:
            with suppress(AssertionError, aiohttp.ClientError):  # 503, or no file for the socket: asked again
                await caller.call(1)
            await asyncio.sleep(0.5)
    assert (caller.told.faults, caller.told.turns) == ([], 1)


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    """Give the file in which agents note down what they did."""
    path = tmp_path / "effects"
    path.touch()
    return path


async def test_ten_thousand_tasks_that_wait_keep_no_call_waiting(effects: Path) -> None:
    """Of retention, whose worker serves nothing else, as the guide for operators has it: calls begin and go on."""
    with redis_roles() as roles:
        environment = {EFFECTS: str(effects)}
        async with (
            site(CONFIG, workers=1, redis=roles.urls, environment=environment, apart={Queue.RETENTION}) as running,
            calls(running, effects),
        ):
            await asyncio.to_thread(_fill, roles.broker_url)
            await begin(running, CALLERS)
        with connect_sync(roles.broker_url) as broker:
            broker.flushall()  # what is left of them has no time to live


def _fill(broker_url: str) -> None:
    """Queue tasks for sessions that nobody knows."""
    app = Celery("storm", set_as_current=False)
    with connect_sync(broker_url) as broker, broker.pipeline(transaction=False) as pipe:
        for _ in range(TASKS):
            pipe.lpush(
                f"vb:{RETENTION_APPLY.queue}", encode(app, RETENTION_APPLY, {"session_id": secrets.token_hex(16)}, {})
            )
        pipe.execute()
    app.close()


async def test_a_control_process_without_files_left_loses_no_call(effects: Path) -> None:
    """A flood of sockets takes every file that it may open; those who talk go on, and others come in again after it."""
    environment = {EFFECTS: str(effects)}
    async with site(CONFIG, workers=1, control="few_files_control", environment=environment) as running:
        async with calls(running, effects) as callers:
            async with asyncio.timeout(30):
                while not all(caller.told.turns for caller in callers):  # noqa: ASYNC110 - a caller has no event
                    await asyncio.sleep(0.05)
            with ExitStack() as open_sockets:
                for _ in range(SOCKETS):
                    open_sockets.enter_context(_reach(running.url))
                await asyncio.sleep(3.0)  # for so long everybody finds the door blocked
            await begin(running, CALLERS)
        assert running.processes["control"].returncode is None


def _reach(url: str) -> socket.socket:
    """Return a socket that control accepts, or that waits to be accepted."""
    made = socket.socket()
    made.setblocking(False)
    made.connect_ex(("127.0.0.1", urlsplit(url).port))
    return made


async def test_callers_who_come_back_at_once_are_all_let_in(tmp_path: Path) -> None:
    """The gateway of all of them is killed; the library brings each back to the other one, spread over some time."""
    async with two_gateways(CONFIG, tmp_path) as (running, balanced):
        config = BackendConfig(provider="mock")
        async with (
            VoiceBackend(config, control_url=balanced.url, api_key=running.api_key) as backend,
            AsyncExitStack() as stack,
        ):
            wanted = SessionConfig(user_id="u", transport="websocket", agent="story")
            sessions: list[VoiceSession] = []
            with suppress(SessionLimitExceeded):
                while len(sessions) < MANY:
                    sessions.append(await stack.enter_async_context(await backend.create_session(wanted)))
            assert len(sessions) >= FEWEST
            assert {session.connection_state() for session in sessions} == {ConnectionState.CONNECTED}
            await running.kill("control")
            await _until(lambda: any(it.connection_state() is not ConnectionState.CONNECTED for it in sessions))
            await _until(lambda: all(it.connection_state() is ConnectionState.CONNECTED for it in sessions))
            assert [session.error for session in sessions] == [None] * len(sessions)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BACK_S):
        while not condition():  # noqa: ASYNC110 - sessions have no event for all of them
            await asyncio.sleep(0.05)

"""The users of deploy/redis: processes that each have their own hold a call, and none may do another one's work."""

from __future__ import annotations

import asyncio
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis as sync_redis
import yaml
from deployment import CELERY, WORKER, Site
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from redis_harness import find_redis_server
from redis_servers import PERSISTENT, RedisProcess, redis_server
from stack_harness import StackAddress, StackClient

from control.records.notes import NotesState, clear_all_notes
from voicebackend._redis import connect_sync
from voicebackend.cli.stack import free_port
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import SESSIONS_EXPIRE, Queue

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
DEPLOY = Path(__file__).parents[3] / "deploy" / "redis"
KEY = "test-key-0123456789"
CONFIG = "provider: mock\nprovider_config: {decode: true, seconds_per_character: 0.04}\n"
NOBODYS: tuple[tuple[Any, ...], ...] = (
    ("FLUSHALL",),
    ("CONFIG", "GET", "dir"),
    ("KEYS", "*"),
    ("RANDOMKEY",),
    ("ACL", "LIST"),
    ("DEBUG", "SLEEP", "0"),
    ("MONITOR",),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "NO", "ONE"),
    ("MODULE", "LIST"),
    ("SCRIPT", "FLUSH"),
    ("GET", "of-another-program"),
)
"""What no process may do."""
LISTING = "SCAN 0"
"""What the sessions' repairs alone need: keys without a time to live are found by it."""
SECRETS = ("GET vb:token-secret", "HGETALL vb:api-key:0", "SET vb:api-keys:acme x")
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "control": (LISTING,),
    "worker": (
        LISTING,
        *SECRETS,
        "ZRANGE vb:records:due 0 -1",
        "HGETALL vb:do-not-call:acme",
        "GET vb:ticket:x",
        "HGETALL vb:webhooks:endpoints:acme",
    ),
    "celery": SECRETS,
    "retention": (LISTING, *SECRETS, "XADD vb:{lane:0}:in * b x", "SET vb:lease:0 mine", "GET vb:used:x"),
    "flower": (
        LISTING,
        *SECRETS,
        "HGETALL vb:session:x",
        "XRANGE vb:session:x:log - +",
        "ZRANGE vb:records:due 0 -1",
        "LPUSH vb:sessions message",
        "RPOP vb:agents",
        "LRANGE vb:webhooks 0 -1",
        "HGETALL vb:unacked",
        "SADD vb:_kombu.binding.celery x",
    ),
}
"""What is others' work, by role."""


@dataclass(frozen=True)
class Guarded:
    """A Redis with users, and the URL of each."""

    server: RedisProcess
    urls: Mapping[str, str]

    def of(self, role: str) -> dict[str, str]:
        """Return the variables of a process in this role."""
        return {f"VOICEBACKEND_{name}_URL": self.urls[role] for name in ("STATE", "AUDIO", "BROKER")}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run it, with passwords as an operator makes them."""
    folder = tmp_path_factory.mktemp("users")
    port = free_port()
    subprocess.run([DEPLOY / "make-users.sh", folder, f"127.0.0.1:{port}"], check=True, timeout=30)
    assert (folder / "users.acl").stat().st_mode & 0o077 == 0
    lines = (folder / "redis.env").read_text().splitlines()
    urls = {name.removesuffix("_REDIS_URL").lower(): url for name, _, url in (line.partition("=") for line in lines)}
    with redis_server(*PERSISTENT) as server:
        with server.client() as open_to_all:  # as the file is read at a start, which asks for no password yet
            for line in (folder / "users.acl").read_text().splitlines():
                _, user, *rules = line.split()
                if user != "default":
                    open_to_all.execute_command("ACL SETUSER", user, *rules)
            open_to_all.execute_command("ACL SETUSER", "default", "off")
        yield Guarded(server, {role: url.replace(f":{port}/", f":{server.port}/") for role, url in urls.items()})


def _site(guarded: Guarded, folder: Path) -> Site:
    deployment = Deployment(
        port=free_port(),
        home=folder / "home",
        api_keys={KEY: "default"},
        token_secret="a-secret-of-at-least-32-bytes-long",
        agents=("stack_agents",),
        retention=folder / "retention.yaml",
    ).with_redis(guarded.urls["control"])
    (folder / "voice.yaml").write_text(CONFIG)
    policies = [{"id": "words", "class": "transcript", "ttl": "P1D"}]
    kept = {"store": f"file://{folder}/records", "spool": f"{folder}/spool", "subject_key": "k" * 40}
    (folder / "retention.yaml").write_text(yaml.safe_dump({**kept, "policies": policies}))
    helpers = Path(__file__).parents[2] / "helpers"
    changes = {"VOICEBACKEND_CONFIG": str(folder / "voice.yaml"), "PYTHONPATH": str(helpers)}
    return Site(deployment, {**os.environ, **deployment.to_env(), **changes})


async def test_a_call_is_held_and_erased_by_processes_that_each_have_their_own_user(
    guarded: Guarded, tmp_path: Path
) -> None:
    """Nothing that they do is refused, not even to have Redis forget what it noted."""
    site, celery = _site(guarded, tmp_path), CELERY[: CELERY.index("-Q")]
    queues = ",".join(queue.value for queue in Queue if queue is not Queue.RETENTION)
    with connect_sync(guarded.urls["admin"]) as admin:
        admin.execute_command("ACL LOG", "RESET")
    try:
        await site.start("control", "control", **guarded.of("control"))
        await site.start("worker-1", *WORKER, **guarded.of("worker"))
        await site.start("celery", *celery, "-Q", queues, **guarded.of("celery"))
        await site.start("retention", *celery, "-n", "retention@%h", "-Q", "retention", **guarded.of("retention"))
        await site.start("beat", "celery", "-A", "control", "beat", **guarded.of("celery"))
        await site.until_ready(1)
        async with aiohttp.ClientSession() as http:
            client = StackClient(StackAddress(url=site.url, api_key=KEY), http)
            async with client.call("echo") as call:
                await call.say("one")
                await call.until("audio_end", turn=1, timeout_s=60)
                said = await call.until("state", state="listening", timeout_s=60)
                assert said
            assert "one 0." in {event.get("text") for event in call.events}
            assert (await _erased(client, "tester"))["notes_cleared"]
    finally:
        await site.stop()
    assert _refused(guarded) == []


async def _erased(client: StackClient, user: str) -> dict[str, Any]:
    """Return a person's erasure once it is done."""
    status, asked = await client.request("POST", "/v1/erasures", json={"subject": user})
    assert status == 202, asked
    async with asyncio.timeout(120):
        while True:
            _, told = await client.request("GET", f"/v1/erasures/{asked['id']}")
            if told["state"] == "done":
                return dict(told)
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("role", ["celery", "retention"])
async def test_whoever_erases_may_have_redis_forget_what_it_noted(guarded: Guarded, role: str) -> None:
    """The Celery workers, whichever of them serves the queue: slow log, append-only file and snapshot."""
    deployment = Deployment().with_redis(guarded.urls[role])
    with connect_sync(guarded.urls["admin"]) as admin, suppress(ResponseError):  # one is being made already
        admin.bgsave()
    async with asyncio.timeout(60):
        while (told := await clear_all_notes(deployment)) is NotesState.LATER:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.1)
    assert told is NotesState.CLEARED


async def test_flower_watches_tasks_with_a_user_that_cannot_touch_their_queues(
    guarded: Guarded, tmp_path: Path
) -> None:
    """Workers tell it what they do and answer what it asks; nothing that it tries is refused."""
    site, port = _site(guarded, tmp_path), free_port()
    account = "operator:correct-horse-battery"
    flower = {"FLOWER_BASIC_AUTH": account, **guarded.of("flower")}
    url, sent = f"http://127.0.0.1:{port}", {"Authorization": f"Basic {b64encode(account.encode()).decode()}"}
    with connect_sync(guarded.urls["admin"]) as admin:
        admin.execute_command("ACL LOG", "RESET")
    publisher = CeleryPublisher(Deployment().with_redis(guarded.urls["celery"]))
    try:
        await site.start("celery", *CELERY, **guarded.of("celery"))
        await site.start("flower", "celery", "-A", "control", "flower", f"--port={port}", **flower)
        async with asyncio.timeout(120), aiohttp.ClientSession(url, headers=sent) as http:
            while not site.said("celery", "Events of group {task} enabled"):  # noqa: ASYNC110 - told in its log
                await asyncio.sleep(0.1)
            await publisher.publish(SESSIONS_EXPIRE)
            while (SESSIONS_EXPIRE.name, "SUCCESS") not in await _tasks(http):  # noqa: ASYNC110 - Flower tells nobody
                await asyncio.sleep(0.1)
            async with http.get("/api/workers", params={"refresh": "1"}) as response:
                (told,) = (await response.json()).values()
    finally:
        await publisher.aclose()
        await site.stop()
    assert {queue["name"] for queue in told["active_queues"]} == set(Queue)
    assert _refused(guarded) == []


async def _tasks(http: aiohttp.ClientSession) -> set[tuple[str, str]]:
    """Return the tasks that Flower knows, and how they stand."""
    async with http.get("/api/tasks") as response:
        return {(task["name"], task["state"]) for task in (await response.json()).values()}


def _refused(guarded: Guarded) -> list[dict[str, str]]:
    """Return what users were refused, but for clients' names, which nobody asked for."""
    with connect_sync(guarded.urls["admin"]) as admin:
        refused: Any = admin.execute_command("ACL LOG", "100")
    told = [{str(name): str(value) for name, value in entry.items()} for entry in refused]
    return [entry for entry in told if "client" not in entry["object"]]


@pytest.mark.parametrize("role", FORBIDDEN)
def test_no_role_may_do_what_is_not_its_work(guarded: Guarded, role: str) -> None:
    """Neither what is dangerous, nor touch another role's keys."""
    with connect_sync(guarded.urls[role]) as client:
        assert client.ping()
        for command in (*NOBODYS, *(tuple(text.split()) for text in FORBIDDEN[role])):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


def test_nobody_comes_in_without_a_password(guarded: Guarded) -> None:
    """The user that Redis has by itself is off."""
    with sync_redis.Redis(port=guarded.server.port) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_redis_starts_with_the_file_itself(tmp_path: Path) -> None:
    """As an operator has it start: the whole file is understood."""
    subprocess.run([DEPLOY / "make-users.sh", tmp_path], check=True, timeout=30)
    command = [find_redis_server(), "--port", "0", "--unixsocket", str(tmp_path / "s")]
    with subprocess.Popen(
        [*command, "--aclfile", str(tmp_path / "users.acl"), "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "ready to accept connections" in line.lower():
                break
        process.terminate()
    assert "ready to accept" in lines[-1].lower(), "".join(lines)

"""Conversations through real processes: gateway, Redis, worker, Celery."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest
import redis as sync_redis
from redis_roles import RedisRoles
from stack_harness import RATE, StackClient

from providers.mock.tones import spoken
from voicebackend._redis import connect_sync


async def test_a_call_goes_all_the_way_and_is_remembered(client: StackClient) -> None:
    """Two turns; the second knows of the first, in the order in which they were said."""
    async with client.call("echo") as call:
        await call.say("one")
        await call.until("audio_end", turn=1)
        await call.until("state", state="listening")
        assert spoken(bytes(call.audio), RATE) == "one zero."
        await call.say("two")
        said = await call.until("transcript", role="agent", final=True, turn=2)
    assert said["text"] == "two 2."
    assert {event["turn"] for event in call.events if event["type"] == "turn"} == {1, 2}


async def test_two_sessions_never_mix(client: StackClient) -> None:
    """Distinct audio and canary words, at the same time: each hears its own, and its log holds its own."""
    canaries = ["zebra apple", "falcon melon", "otter peach", "lynx plum"]

    async def hold(canary: str) -> str:
        async with client.call("echo", metadata={"canary": canary}) as call:
            await call.say(canary)
            await call.until("audio_end", turn=1)
            await call.until("state", state="listening")
            assert spoken(bytes(call.audio), RATE) == f"{canary} zero."
            return json.dumps(call.events) + call.session

    told = await asyncio.gather(*(hold(canary) for canary in canaries))
    for canary, events in zip(canaries, told, strict=True):
        assert canary in events
        assert not [other for other in canaries if other != canary and other in events]


@pytest.mark.parametrize(
    ("agent", "code"),
    [("raises", "agent_error"), ("hangs", "timeout"), ("number", "agent_error"), ("nobody", "agent_error")],
)
async def test_an_agent_that_fails_costs_the_turn_only(client: StackClient, agent: str, code: str) -> None:
    """The caller is told by a code, without the agent's words, and hears an apology; the session goes on."""
    async with client.call(agent) as call:
        await call.say("hi")
        error = await call.until("error")
        assert error["code"] == code
        assert "secret" not in json.dumps(call.events)
        await call.until("state", state="listening")
        assert spoken(bytes(call.audio), RATE).startswith("Sorry,")
        await call.say("again")
        await call.until("transcript", role="user", final=True, turn=2)


async def test_an_agent_that_says_nothing_leaves_the_floor_to_the_caller(client: StackClient) -> None:
    """No audio, no error."""
    async with client.call("silent") as call:
        await call.say("hi")
        await call.until("state", state="processing")
        await call.until("state", state="listening")
        assert not call.audio
        assert not [event for event in call.events if event["type"] == "error"]


async def test_what_callers_say_is_in_no_log_and_one_trace_runs_through_all(client: StackClient) -> None:
    """One trace id from the HTTP request through Celery and worker to the engine; words and keys in none of it."""
    parent = secrets.token_hex(16)  # its own in each attempt
    canary = "quokka"
    body = {"user_id": "tester", "transport": "websocket", "agent": "echo"}
    headers = {"traceparent": f"00-{parent}-00f067aa0ba902b7-01"}
    status, created = await client.request("POST", "/v1/sessions", json=body, headers=headers)
    assert status == 201
    await _hold(client, created, canary)
    await asyncio.to_thread(_wait_for_services, client.address.log, parent)
    log = "".join(client.address.log)
    assert canary not in log
    assert client.address.api_key not in log
    assert created["token"] not in log


async def _hold(client: StackClient, created: dict[str, Any], text: str) -> None:
    from stack_harness import StackCall

    protocols = ("voicebackend.v1", f"token.{created['token']}")
    async with client._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
        await socket.send_json({"type": "start", "sample_rate": RATE})
        call = StackCall(created["id"], socket)
        await call.until("ready")
        await call.say(text)
        heard = await call.until("transcript", role="user", final=True, turn=1)
        assert heard["text"].strip(" .").lower() == text, call.events
        await call.until("audio_end", turn=1)
        await socket.send_json({"type": "stop"})
        await call.until("ended")


def _wait_for_services(log: list[str], trace: str) -> None:
    """Wait until every service has written of this trace, the worker from its engines too."""
    import time

    deadline = time.monotonic() + 30
    wanted = {("control", None), ("celery", None), ("worker", "mock")}
    while True:
        lines = [json.loads(line[line.index("{") :]) for line in list(log) if trace in line]
        missing = wanted - {(line["service"], line.get("engine")) for line in lines}
        if not missing:
            return
        assert time.monotonic() < deadline, f"nothing of {missing} in\n" + "\n".join(map(str, lines))
        time.sleep(0.05)


async def test_nothing_is_left_behind(client: StackClient, stack_redis: RedisRoles) -> None:
    """After a call no slot is taken, and every key expires but those on the named list."""
    async with client.call("echo") as call:
        await call.say("bye")
        await call.until("audio_end", turn=1)
        with connect_sync(stack_redis.state_url) as redis:
            assert sum(_slots(redis).values()) >= 1
    with connect_sync(stack_redis.state_url) as redis:
        async with asyncio.timeout(10):
            while any(_slots(redis).values()):  # noqa: ASYNC110 - a key of Redis has no event
                await asyncio.sleep(0.05)
        await _until_over(client)
    assert stack_redis.leaked() == []


def _slots(redis: sync_redis.Redis) -> dict[bytes, int]:
    """Return how many sessions hold a slot, by the key of each lane."""
    return {key: int(str(redis.scard(key))) for key in redis.scan_iter("vb:lane:*:sessions")}


async def _until_over(client: StackClient) -> None:
    async with asyncio.timeout(10):
        while True:
            _, page = await client.request("GET", "/v1/sessions")
            if all(session["state"] in {"ended", "failed"} for session in page["sessions"]):
                return
            await asyncio.sleep(0.05)

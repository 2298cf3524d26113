"""Webhooks through real processes: Redis, control, a worker, Celery and its schedule, and a receiver that fails."""

from __future__ import annotations

import pytest
from stack_harness import StackClient
from webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]  # whoever is first starts the stack


async def _subscribe(client: StackClient, receiver: Receiver, *events: str) -> str:
    status, made = await client.request("POST", "/v1/webhooks", json={"url": receiver.url, "events": list(events)})
    assert status == 201, made
    receiver.secret = made["secret"]
    return str(made["id"])


async def test_the_life_of_a_session_is_told(client: StackClient) -> None:
    """Its start, its turns, its end; signed, by ids, without a word of what was said, which the API then tells."""
    async with receiving() as receiver:
        webhook = await _subscribe(client, receiver)
        async with client.call("echo") as call:
            await call.say("quokka")
            await call.until("audio_end", turn=1)
        events = await receiver.until(["session.started", "turn.completed", "session.ended"])
        status, told = await client.request("GET", f"/v1/sessions/{call.session}/transcript")
        await client.request("DELETE", f"/v1/webhooks/{webhook}")
    assert {event.session_id for event in events} == {call.session}
    assert "quokka" not in str(events)
    assert [event.data["turn"] for event in events if event.type == "turn.completed"] == [1]
    (ended,) = [event for event in events if event.type == "session.ended"]
    assert ended.data["state"] == "ended"
    assert (status, told["complete"]) == (200, True)
    assert told["segments"][0] | {"start_ms": 0, "end_ms": 0} == {
        "turn": 1,
        "role": "user",
        "text": "quokka",
        "interrupted": False,
        "start_ms": 0,
        "end_ms": 0,
    }


async def test_a_receiver_that_fails_twice_gets_the_event_once(client: StackClient) -> None:
    """By the schedule's sweep, each try later than the one before."""
    async with receiving(500, 302) as receiver:
        webhook = await _subscribe(client, receiver, "session.ended")
        async with client.call("echo"):
            pass
        events = await receiver.until(["session.ended"])
        await client.request("DELETE", f"/v1/webhooks/{webhook}")
    assert (receiver.requests, len(events)) == (3, 1)

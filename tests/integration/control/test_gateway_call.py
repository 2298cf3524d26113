"""A call through the gateway: attached, heard, spoken to, ended; by either side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gateway_calls import START, TONE, a_call, closing, next_text

from voicebackend.sealing import Seal
from voicebackend.streams import Kind


async def test_a_caller_is_attached_and_told_that_the_session_listens(api: Any, worker: Any) -> None:
    """``ready`` comes first, with the rate and a resume token; the worker knows inbox and rate."""
    async with a_call(api, rate=8_000) as (session, ws, ready):
        assert ws.protocol == "voicebackend.v1"
        assert (ready["session"], ready["sample_rate"]) == (session, 8_000)
        [attach] = worker.heard(session, Kind.ATTACH)
        assert attach.json()["sample_rate"] == 8_000


async def test_audio_of_any_length_reaches_the_lane_whole_and_in_order(api: Any, worker: Any, until: Any) -> None:
    """Pieces from 2 bytes to 200 ms become 20 ms frames numbered from 1; the rest follows without more input."""
    async with a_call(api) as (session, ws, _):
        sent = b""
        for length in (2, 640, 1000, 6400, 638, 200, 4002):
            piece = bytes((len(sent) + i) % 251 for i in range(length))
            sent += piece
            await ws.send_bytes(piece)
        await until(lambda: sum(len(f.payload) for f in worker.heard(session, Kind.AUDIO_IN)) == len(sent))
        frames = worker.heard(session, Kind.AUDIO_IN)
        assert b"".join(frame.payload for frame in frames) == sent
        assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
        assert max(len(frame.payload) for frame in frames) == 640


async def test_keys_reach_the_worker_sealed(api: Any, worker: Any, until: Any) -> None:
    """DTMF goes into the lane, and only who knows the deployment's secret can read it there."""
    async with a_call(api) as (session, ws, _):
        await ws.send_json({"type": "dtmf", "digit": "#"})
        await until(lambda: bool(worker.heard(session, Kind.DTMF)))
        [told] = [frame.json() for frame in worker.heard(session, Kind.DTMF)]
        assert list(told) == ["sealed"]
        assert Seal(worker.deployment.token_secret, session).open(told["sealed"]) == "#"


async def test_ended_is_the_last_word_and_the_socket_closes(api: Any, worker: Any) -> None:
    """Audio that waits is dropped, messages are not."""
    async with a_call(api) as (session, ws, _):
        worker.say(session, 1, TONE * 10)
        worker.event(session, {"type": "transcript", "role": "agent", "text": "bye", "final": True, "turn": 1})
        await worker.end(session, "closed")
        texts, code = await closing(ws)
        assert ([text["type"] for text in texts], code) == (["transcript", "ended"], 1000)


async def test_stop_ends_the_session_for_good(api: Any, worker: Any, until: Any) -> None:
    """The caller hears ``ended``; the worker hears that it stopped."""
    async with a_call(api) as (session, ws, _):
        await ws.send_json({"type": "stop"})
        assert await closing(ws) == ([{"type": "ended", "reason": "hangup"}], 1000)
        await until(lambda: [f.json()["stopped"] for f in worker.heard(session, Kind.DETACH)] == [True])


async def test_a_clean_close_is_a_stop(api: Any, worker: Any, until: Any) -> None:
    """Closing with 1000 hangs up."""
    async with a_call(api) as (session, ws, _):
        await ws.close()
        await until(lambda: [f.json()["stopped"] for f in worker.heard(session, Kind.DETACH)] == [True])


async def test_a_lost_socket_is_not_a_stop_and_the_caller_may_come_back(api: Any, worker: Any, until: Any) -> None:
    """The worker is told that it is gone; the resume token brings it back, once."""
    created = await api.create()
    session = created["id"]
    async with a_socket(api, created) as (ws, ready):
        ws._response.connection.transport.abort()
        await until(lambda: [f.json()["stopped"] for f in worker.heard(session, Kind.DETACH)] == [False])
    async with api.media(created, token="") as again:
        await again.send_json({"type": "auth", "resume": ready["resume_token"]})
        await again.send_json(START)
        fresh = await next_text(again)
        assert fresh["type"] == "ready"
        assert fresh["resume_token"] != ready["resume_token"]
        attachments = [frame.attachment for frame in worker.heard(session, Kind.ATTACH)]
        assert len(set(attachments)) == 2
    async with api.media(created, token="") as replay:
        await replay.send_json({"type": "auth", "resume": ready["resume_token"]})
        await replay.send_json(START)
        texts, code = await closing(replay)
        assert (texts[0]["code"], code) == ("authentication_failed", 4401)


@asynccontextmanager
async def a_socket(api: Any, created: dict[str, Any]) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """Connect the caller of a session that is there already: the socket and ``ready``."""
    async with api.media(created) as ws:
        await ws.send_json(START)
        yield ws, await next_text(ws)


async def test_the_newest_socket_wins(api: Any, worker: Any) -> None:
    """The older one is told and closed; the worker hears of no end."""
    created = await api.create()
    fresh = await (await api.send("POST", f"/v1/sessions/{created['id']}/token")).json()
    async with a_socket(api, created) as (old, _), a_socket(api, {**created, **fresh}) as (new, _):
        texts, code = await closing(old)
        assert (texts[-1]["code"], code) == ("session_already_active", 4409)
        worker.event(created["id"], {"type": "state", "state": "speaking"})
        seen = [await next_text(new), await next_text(new)]
        assert seen[-1] == {"type": "state", "state": "speaking"}
        assert worker.heard(created["id"], Kind.DETACH) == []


async def test_what_an_older_lease_says_is_not_heard(api: Any, worker: Any) -> None:
    """After the new holder has spoken, the old one is mute; repeats are heard once."""
    async with a_call(api) as (session, ws, _):
        worker.event(session, {"type": "state", "state": "speaking"}, epoch=9)
        worker.event(session, {"type": "state", "state": "error"}, epoch=5)
        worker.event(session, {"type": "state", "state": "idle"}, epoch=9)
        assert [(await next_text(ws))["state"] for _ in range(2)] == ["speaking", "idle"]


async def test_two_sessions_never_mix(api: Any, worker: Any, until: Any) -> None:
    """Each caller hears its own agent only, each lane frame is of its own caller."""
    async with a_call(api) as (one, here, _), a_call(api) as (two, there, _):
        for session, mark in ((one, b"\x01\x01"), (two, b"\x02\x02")):
            worker.say(session, 1, mark * 320)
            worker.event(session, {"type": "transcript", "role": "agent", "text": session, "final": True, "turn": 1})
        for session, ws, mark in ((one, here, b"\x01\x01"), (two, there, b"\x02\x02")):
            assert (await ws.receive(timeout=5)).data == mark * 320
            assert (await next_text(ws))["text"] == session
            await ws.send_bytes(mark * 320)
            await until(lambda session=session: len(worker.heard(session, Kind.AUDIO_IN)) == 1)
            assert worker.heard(session, Kind.AUDIO_IN)[0].payload == mark * 320


async def test_a_session_that_ends_without_a_word_lets_its_caller_go(
    api: Any, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the worker died, the record says that the session is over."""
    async with a_call(api) as (session, ws, _):
        from voicebackend.session import SessionState

        await worker.store.move(session, SessionState.FAILED, reason="pipeline_error")
        assert await closing(ws) == ([{"type": "ended", "reason": "pipeline_error"}], 1000)


async def test_one_trace_runs_from_the_request_to_the_attached_worker(api: Any, worker: Any) -> None:
    """The sender's trace id is on the record and in what the worker is told."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    body = {"user_id": "u", "transport": "websocket", "agent": "a"}
    created = await (await api.send("POST", "/v1/sessions", json=body, headers=headers)).json()
    async with a_socket(api, created):
        [attach] = worker.heard(created["id"], Kind.ATTACH)
        assert attach.json()["traceparent"].split("-")[1] == trace
        assert (await worker.store.get(created["id"])).traceparent.split("-")[1] == trace


async def test_a_caller_that_does_not_read_is_given_up(api: Any, worker: Any, until: Any) -> None:
    """Once thousands of messages wait; the worker hears that it is gone, other callers notice nothing."""
    created = await api.create()
    session = created["id"]
    async with a_socket(api, created) as (ws, _), a_call(api) as (other, there, _):
        ws._response.connection.transport.pause_reading()
        said = {"type": "transcript", "role": "agent", "text": "x" * 3000, "final": True, "turn": 1}
        for _ in range(8):
            for _ in range(1000):
                worker.event(session, said)
            await worker.sender.flush()
        await until(lambda: len(worker.heard(session, Kind.DETACH)) == 1, within_s=20)
        assert worker.heard(session, Kind.DETACH)[0].json()["stopped"] is False
        worker.event(other, {"type": "state", "state": "speaking"})
        assert await next_text(there) == {"type": "state", "state": "speaking"}


async def test_what_cannot_be_read_from_a_worker_is_left_out(api: Any, worker: Any) -> None:
    """Neither garbage nor an unknown event hurts the call."""
    async with a_call(api) as (session, ws, _):
        worker._send(session, Kind.EVENT, b"\xff{", 0, None)
        worker._send(session, Kind.EVENT, b"[]", 0, None)
        worker._send(session, Kind.AUDIO_OUT, b"\x01", 1, None)
        worker.event(session, {"type": "state", "state": "speaking"})
        assert await next_text(ws) == {"type": "state", "state": "speaking"}

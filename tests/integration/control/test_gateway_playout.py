"""Agent audio through the gateway: paced, held, dropped, and told how much of it was heard."""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import pytest
from gateway_calls import TONE, a_call, next_text

from voicebackend.streams import Kind


async def test_agent_audio_and_events_come_in_order_and_no_faster_than_may_be(api: Any, worker: Any) -> None:
    """A second of audio takes at least 0.7 s: it is at most 200 ms ahead of real time."""
    async with a_call(api) as (session, ws, _):
        worker.event(session, {"type": "audio_start", "turn": 1})
        worker.say(session, 1, TONE * 5)
        worker.event(session, {"type": "audio_end", "turn": 1})
        assert (await next_text(ws))["type"] == "audio_start"
        started, heard = time.monotonic(), b""
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            heard += message.data
        assert json.loads(message.data)["type"] == "audio_end"
        assert heard == TONE * 5
        assert 0.7 < time.monotonic() - started < 20


async def test_the_worker_hears_how_much_was_played(api: Any, worker: Any, until: Any) -> None:
    """Estimated about every 200 ms and at the end, as long as the client does not say itself."""
    async with a_call(api) as (session, ws, _):
        worker.say(session, 3, TONE * 3)

        def played() -> bool:
            reports = worker.heard(session, Kind.PLAYED)
            return bool(reports) and reports[-1].json() == {"ms": 600.0, "estimated": True, "final": False}

        await until(played)
        assert [frame.turn for frame in worker.heard(session, Kind.PLAYED)].count(3) >= 2
        await ws.send_json({"type": "played", "turn": 3, "ms": 512.5})
        await until(lambda: worker.heard(session, Kind.PLAYED)[-1].json()["estimated"] is False)
        assert worker.heard(session, Kind.PLAYED)[-1].json() == {"ms": 512.5, "estimated": False, "final": False}


async def test_the_worker_hears_where_a_pause_and_a_clear_stopped_the_audio(api: Any, worker: Any, until: Any) -> None:
    """At once as it is reckoned; a device that speaks for itself is waited for."""
    async with a_call(api) as (session, ws, _):

        def finals() -> list[dict[str, Any]]:
            reports = [frame.json() for frame in worker.heard(session, Kind.PLAYED) if frame.turn == 3]
            return [report for report in reports if report["final"]]

        worker.say(session, 3, TONE * 10)
        await ws.receive(timeout=5)
        worker.event(session, {"type": "pause", "turn": 3})
        await until(lambda: len(finals()) == 1)
        assert finals()[0]["estimated"] is True
        assert 0 <= finals()[0]["ms"] < 1000
        await ws.send_json({"type": "played", "turn": 3, "ms": 40.0})
        worker.event(session, {"type": "clear", "turn": 3})
        while (await next_text(ws))["type"] != "clear":
            pass
        await ws.send_json({"type": "played", "turn": 3, "ms": 60.0, "stopped": True})
        await until(lambda: len(finals()) == 2)
        assert finals()[1] == {"ms": 60.0, "estimated": False, "final": True}


async def test_clear_drops_what_waits_at_once(api: Any, worker: Any) -> None:
    """Of five seconds queued the caller gets little, then ``clear``, then what follows."""
    async with a_call(api) as (session, ws, _):
        worker.say(session, 1, TONE * 25)
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY
        worker.event(session, {"type": "clear", "turn": 1})
        worker.event(session, {"type": "state", "state": "listening"})
        got = 640
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            got += len(message.data)
        assert json.loads(message.data) == {"type": "clear", "turn": 1}
        assert (await next_text(ws))["type"] == "state"
        assert got < 32_000


async def test_pause_holds_the_audio_and_resume_lets_it_go_on(api: Any, worker: Any) -> None:
    """Nothing is lost and nothing comes in between."""
    async with a_call(api) as (session, ws, _):
        worker.say(session, 1, TONE * 5)
        worker.event(session, {"type": "audio_end", "turn": 1})
        worker.event(session, {"type": "pause", "turn": 1})
        got = b""
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            got += message.data
        assert json.loads(message.data)["type"] == "pause"
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.3)
        worker.event(session, {"type": "resume", "turn": 1})
        assert (await next_text(ws))["type"] == "resume"
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            got += message.data
        assert got == TONE * 5

"""A deployment that is watched: a call through real processes, and all that was told of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from deployment import Site, site
from openai_double import OpenAiDouble
from otlp_collector import Collector, SpanSeen
from stack_harness import RATE, StackAddress, StackCall, StackClient

from providers.conformance.double import KEY
from voicebackend.cli.stack import free_port

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
"""The trace that the caller's application is in."""
CANARY = "quokka"
"""What the caller says, and nobody may tell."""
USER = "user-of-the-trace"
LATE_S = 60.0


@dataclass
class Told:
    """What was told of the call."""

    session: str = ""
    pseudonym: str = ""
    """What the session's view says that traces call its user."""
    spans: list[SpanSeen] = field(default_factory=list)
    points: dict[str, dict[str, set[tuple[tuple[str, str], ...]]]] = field(default_factory=dict)
    raw: bytes = b""
    logs: list[dict[str, Any]] = field(default_factory=list)
    served: dict[str, str] = field(default_factory=dict)
    """What ``/metrics`` answered, by process."""
    ports: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    token: str = ""
    api_key: str = ""

    @property
    def trace(self) -> list[SpanSeen]:
        """Return the spans of the call's trace, oldest first."""
        return sorted((span for span in self.spans if span.trace == TRACE), key=lambda span: span.start_s)


async def watched_call(*, meanwhile: Callable[[Told], Any] | None = None) -> Told:
    """Hold a call with an agent that answers, then with one that fails; ``meanwhile`` runs before the end."""
    told = Told()
    async with OpenAiDouble() as vendor, Collector() as collector:
        async with site(_config(vendor), workers=1, environment=_environment(collector)) as running:
            told.api_key = running.api_key
            await _call(running, told)
            await _until(lambda: _arrived(collector))
            told.ports = running.ports()
            await _scrape(told)
            if meanwhile is not None:
                await asyncio.to_thread(meanwhile, told)
        told.spans, told.points, told.raw = collector.spans, collector.points, bytes(collector.raw)
        told.logs = [json.loads(line) for _, line in running.log if line.startswith("{")]
    return told


def _config(vendor: OpenAiDouble) -> dict[str, Any]:
    common = {"api_key": KEY, "api_url": vendor.api_url}
    settings = {"stt": {**common, "model": "hear-1"}, "tts": {**common, "model": "speak-1", "voice": "marin"}}
    return {
        "provider": "local",
        "stt_provider": "openai",
        "tts_provider": "openai",
        "vad_provider": "energy",
        "noise_cancellation_provider": "none",
        "provider_config": settings,
    }


def _environment(collector: Collector) -> dict[str, str]:
    first = free_port()
    return {
        "VOICEBACKEND_AGENTS": "stack_agents",
        "VOICEBACKEND_METRICS": f"127.0.0.1:{first}-{min(first + 30, 65_535)}",
        "VOICEBACKEND_METRICS_PER_SESSION": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }


async def _call(running: Site, told: Told) -> None:
    async with aiohttp.ClientSession() as http:
        client = StackClient(StackAddress(url=running.url, api_key=running.api_key), http)
        created = await _created(client, "echo", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
        told.session, told.token, told.pseudonym = created["id"], created["token"], created["pseudonym"]
        async with _calling(http, created) as call:
            await call.say(CANARY)
            await call.until("audio_end", turn=1, timeout_s=LATE_S)
            await call.until("state", state="listening", timeout_s=LATE_S)
            told.events = list(call.events)
            path = f"/v1/sessions/{call.session}"
            status, changed = await client.request("PATCH", path, json={"agent": "raises"})
            assert status == 200, changed
            await call.say("hi")
            await call.until("error", timeout_s=LATE_S)


async def _created(client: StackClient, agent: str, **headers: str) -> dict[str, Any]:
    """Create a session; a busy machine's worker takes none for some seconds."""
    body = {"user_id": USER, "transport": "websocket", "agent": agent}
    async with asyncio.timeout(LATE_S):
        while True:
            wanted = {"Prefer": "wait=10", **headers}
            status, created = await client.request("POST", "/v1/sessions", json=body, headers=wanted)
            if status == 201:
                return dict(created)
            assert status == 503, created
            await asyncio.sleep(0.5)


@asynccontextmanager
async def _calling(http: aiohttp.ClientSession, created: dict[str, Any]) -> AsyncIterator[StackCall]:
    """Hold a call; it is stopped at the end."""
    protocols = ("voicebackend.v1", f"token.{created['token']}")
    async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
        await socket.send_json({"type": "start", "sample_rate": RATE})
        call = StackCall(created["id"], socket)
        await call.until("ready", timeout_s=LATE_S)
        yield call
        await socket.send_json({"type": "stop"})
        await call.until("ended", timeout_s=LATE_S)


def _arrived(collector: Collector) -> bool:
    """Tell whether the call's last spans and figures are there."""
    ended = {span.name for span in collector.spans if span.trace == TRACE}
    figures = {name for metrics in collector.points.values() for name in metrics}
    return {"backend.session", "backend.agents.turn"} <= ended and "backend.errors.total" in figures


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LATE_S):
        while not holds():  # noqa: ASYNC110 - what other processes send has no event here
            await asyncio.sleep(0.05)


async def _scrape(told: Told) -> None:
    async with aiohttp.ClientSession() as http:
        for who, port in told.ports.items():
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                assert response.status == 200
                told.served[who] = await response.text()

"""Admission over HTTP, with control, Celery and three streaming workers as processes: as many as there are slots."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from deployment import Site, site

pytestmark = pytest.mark.integration

SLOTS = {"worker-0": 33, "worker-1": 33, "worker-2": 34}
CONFIG = {"provider": "mock", "max_concurrent_sessions": SLOTS["worker-0"]}
ASKED = 500
BODY = {"user_id": "u1", "transport": "websocket", "agent": "story"}


class Client:
    """Any number of requests at once."""

    def __init__(self, running: Site, http: aiohttp.ClientSession) -> None:
        self._url, self._http = running.url, http
        self._headers = {"Authorization": f"Bearer {running.api_key}"}

    async def send(self, method: str, path: str, prefer: str = "", **body: Any) -> tuple[int, Any, dict[str, str]]:
        """Return status, body and headers."""
        headers = self._headers | ({"Prefer": prefer} if prefer else {})
        async with self._http.request(method, self._url + path, headers=headers, json=body or None) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, dict(answer.headers)

    async def sessions(self) -> list[dict[str, Any]]:
        """Return every session that is not over."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await self.send("GET", f"/v1/sessions?cursor={cursor}"))[1]
            found, cursor = found + page["sessions"], page["cursor"]
        return [view for view in found if view["state"] not in {"ended", "failed"}]

    async def until(self, session: str, state: str) -> dict[str, Any]:
        """Return a session that has come to a state."""
        async with asyncio.timeout(20):
            while (view := (await self.send("GET", f"/v1/sessions/{session}"))[1])["state"] != state:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return dict(view)

    async def end(self, session: str) -> None:
        """End a session."""
        status, _, _ = await self.send("DELETE", f"/v1/sessions/{session}")
        assert status in {202, 204}
        await self.until(session, "ended")


@pytest.fixture
async def running() -> AsyncIterator[Site]:
    """Run the deployment, with its schedule."""
    async with site(CONFIG, workers=2) as found:
        await found.start("worker-2", "worker", VOICEBACKEND_MAX_CONCURRENT_SESSIONS=str(SLOTS["worker-2"]))
        await found.start("beat", "celery", "-A", "control", "beat")
        await found.until_ready(3)
        yield found


async def test_of_500_at_once_exactly_100_are_admitted_and_the_others_told_so_at_once(running: Site) -> None:
    """No worker holds more than it has slots; what ends makes room; the 101st in a row is created, started, stopped."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        client = Client(running, http)
        answers = await asyncio.gather(*(client.send("POST", "/v1/sessions", **BODY) for _ in range(ASKED)))
        assert Counter(status for status, _, _ in answers) == {201: 100, 503: 400}
        refused = [(body["code"], headers["Retry-After"]) for status, body, headers in answers if status == 503]
        assert set(refused) == {("session_limit_exceeded", "2")}
        live = await client.sessions()
        assert sorted(Counter(view["worker"] for view in live).values()) == sorted(SLOTS.values())
        admitted = [body["id"] for status, body, _ in answers if status == 201]
        assert {view["id"] for view in live} == set(admitted)
        await asyncio.gather(*(client.until(session, "ready") for session in admitted))
        waiting = (await client.send("POST", "/v1/sessions", **BODY, queue={"max_wait": 60}))[1]
        assert (waiting["state"], waiting["queue_position"]) == ("pending", 1)
        await client.end(admitted[0])
        await client.until(waiting["id"], "ready")
        await asyncio.gather(*(client.end(session) for session in [*admitted[1:], waiting["id"]]))
        for _ in range(101):
            status, created, _ = await client.send("POST", "/v1/sessions", prefer="wait=10", **BODY)
            assert (status, created["state"]) == (201, "ready")
            await client.end(created["id"])
        assert await client.sessions() == []

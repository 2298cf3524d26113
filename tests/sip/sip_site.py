"""A deployment with a SIP trunk, and what it kept of each call."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from deployment import Site, site

HOST = "127.0.0.1"
STRANGER = "127.0.0.3"
"""Of no trunk."""
NUMBER = "+14155559999"
MOCK = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.05}, "timeout": 15}
"""Words are tones: what was said can be read back exactly."""
TRUNK = "exchange"
ASKED, USER, SECRET = "127.0.0.4", "telephone", "correct-horse"
"""A telephone of a trunk that is asked who it is."""
PAGE_S = 0.1


@dataclass(frozen=True, slots=True)
class SipSite:
    """Where calls go, and what became of them."""

    running: Site
    port: int
    http: aiohttp.ClientSession

    @property
    def target(self) -> str:
        """Host and port of its SIP."""
        return f"{HOST}:{self.port}"

    async def ready(self) -> None:
        """Return once it takes calls: a worker whose machine is too busy takes none for a while."""
        async with asyncio.timeout(60):
            while True:
                async with self.http.get(f"{self.running.url}/readyz") as response:
                    if response.ok:
                        return
                await asyncio.sleep(PAGE_S)

    async def sessions(self, call_id: str = "") -> list[dict[str, Any]]:
        """Return the sessions of a call by the caller's name of it, or all of them."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._get("/v1/sessions", limit="100", **cursor)
            found += [one for one in page["sessions"] if call_id in ("", one["metadata"].get("call_id"))]
            if not page.get("cursor"):
                return found
            cursor = {"cursor": page["cursor"]}

    async def calls(self) -> set[str]:
        """Return the callers' names of all calls."""
        return {one["metadata"]["call_id"] for one in await self.sessions()}

    async def next_call(self, known: Collection[str]) -> str:
        """Return the name of a call that is not among these, once there is one."""
        async with asyncio.timeout(60):
            while True:
                if new := await self.calls() - set(known):
                    return new.pop()
                await asyncio.sleep(PAGE_S)

    async def session(self, call_id: str) -> dict[str, Any]:
        """Return the one session of a call, once that is over."""
        async with asyncio.timeout(20):
            while True:
                found = await self.sessions(call_id)
                assert len(found) <= 1, found
                if found and found[0]["state"] in {"ended", "failed"}:
                    return found[0]
                await asyncio.sleep(PAGE_S)

    async def active(self, call_id: str) -> None:
        """Return once a call has its caller."""
        async with asyncio.timeout(20):
            while not any(one["state"] == "active" for one in await self.sessions(call_id)):  # noqa: ASYNC110
                await asyncio.sleep(PAGE_S)

    async def until(self, call_id: str, **expected: Any) -> None:
        """Return once an event of a call has these values."""
        (found,) = await self.sessions(call_id)
        async with asyncio.timeout(60), self.http.get(f"{self.running.url}/v1/sessions/{found['id']}/events") as events:
            async for line in events.content:
                if line.startswith(b"data: ") and expected.items() <= json.loads(line[6:]).items():
                    return
        raise AssertionError(expected)

    async def end(self, call_id: str) -> None:
        """End a call from our side."""
        (found,) = await self.sessions(call_id)
        async with self.http.delete(f"{self.running.url}/v1/sessions/{found['id']}") as response:
            assert response.ok, await response.text()

    async def events(self, call_id: str) -> list[dict[str, Any]]:
        """Return the events of a call that is over."""
        session = (await self.session(call_id))["id"]
        async with asyncio.timeout(20), self.http.get(f"{self.running.url}/v1/sessions/{session}/events") as found:
            return [json.loads(line[6:]) async for line in found.content if line.startswith(b"data: ")]

    async def idle(self, s: float) -> None:
        """Return once no session lives."""
        async with asyncio.timeout(s):
            while any(one["state"] not in {"ended", "failed"} for one in await self.sessions()):  # noqa: ASYNC110
                await asyncio.sleep(PAGE_S)

    async def _get(self, path: str, **query: str) -> Any:
        async with self.http.get(self.running.url + path, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()


def said(events: list[dict[str, Any]], role: str) -> list[str]:
    """Return what somebody said, turn by turn."""
    return [
        one["text"].strip() for one in events if one["type"] == "transcript" and one["role"] == role and one["final"]
    ]


def pressed(events: list[dict[str, Any]]) -> str:
    """Return the keys that were pressed."""
    return "".join(one["digit"] for one in events if one["type"] == "dtmf")


@asynccontextmanager
async def sip_site(
    folder: Path,
    config: Mapping[str, Any],
    *,
    agents: str,
    environment: Mapping[str, str] | None = None,
    workers: int = 1,
    control: str = "control",
    trunk: Mapping[str, Any] | None = None,
    **sip: Any,
) -> AsyncIterator[SipSite]:
    """Run a deployment whose trunk is this machine; the routes know one target. ``sip`` are more settings of SIP."""
    port = free_port()
    target = {"provider": config["provider"], "agent": sip.pop("agent", "parrot")}
    settings = {
        "sip": {"listen": [f"udp:{HOST}:{port}", f"tcp:{HOST}:{port}"], "invites_per_second": 1000, **sip},
        "trunks": {
            TRUNK: {"carrier": "sip", "networks": [f"{HOST}/32"], **(trunk or {})},
            "asked": {"carrier": "sip", "networks": [f"{ASKED}/32"], "user": USER, "secret": SECRET},
        },
        "routes": {
            "version": 1,
            "targets": {"agent": target},
            "routes": [{"id": "all", "use": [{"to": [{"target": "agent"}]}]}],
        },
    }
    path = folder / "telephony.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    more = {"VOICEBACKEND_TELEPHONY": str(path), "VOICEBACKEND_AGENTS": agents, **(environment or {})}
    async with site(config, workers=workers, environment=more, control=control) as running:
        headers = {"Authorization": f"Bearer {running.api_key}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            yield SipSite(running, port, http)


def free_port() -> int:
    """Return an even port that neither UDP nor TCP uses on this machine now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((HOST, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((HOST, port))
            except OSError:
                continue
            if port % 2 == 0:
                return port

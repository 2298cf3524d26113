"""A deployment that takes calls by SIP, whose trunks may change while it runs."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from deployment import Site, site
from sip_caller import HOST

CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.05},
    "max_concurrent_sessions": 8,
}
ROUTES = {
    "version": 1,
    "targets": {"chat": {"provider": "mock", "agent": "parrot"}},
    "deny": [{"caller": ["+1900*"], "code": 603}],
    "routes": [{"id": "main", "match": {"called": ["+1415555*"]}, "use": [{"to": [{"target": "chat"}]}]}],
}
PBX = {"carrier": "sip", "networks": ["127.0.0.0/8"]}


def free_port() -> int:
    """Return a port of UDP that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Exchange:
    """A deployment that takes calls by SIP."""

    def __init__(self, running: Site, port: int, file: Path) -> None:
        self.running, self.place, self._file = running, (HOST, port), file

    async def change(self, version: int, **trunks: Any) -> None:
        """Have other trunks and a table with this version, and return once they are in use."""
        told = yaml.safe_load(self._file.read_text())
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(yaml.safe_dump({**told, "trunks": trunks, "routes": {**ROUTES, "version": version}}))
        fresh.rename(self._file)
        async with asyncio.timeout(30):
            while not (found := await self.get("/v1/telephony/routes"))["version"].startswith(f"{version}-"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert found["problem"] == ""

    async def sessions(self, call_id: str) -> list[dict[str, Any]]:
        """Return the sessions of a call."""
        return [one for one in (await self.get("/v1/sessions"))["sessions"] if one["metadata"]["call_id"] == call_id]

    async def log(self, call_id: str) -> list[dict[str, Any]]:
        """Return the events of a call, once its session is over."""
        (session,) = await self.sessions(call_id)
        headers = {"Authorization": f"Bearer {self.running.api_key}"}
        url = f"{self.running.url}/v1/sessions/{session['id']}/events"
        async with asyncio.timeout(30), aiohttp.ClientSession(headers=headers) as http, http.get(url) as found:
            return [json.loads(line[6:]) async for line in found.content if line.startswith(b"data: ")]

    async def end(self, call_id: str) -> None:
        """End a call's session from our side."""
        (session,) = await self.sessions(call_id)
        headers = {"Authorization": f"Bearer {self.running.api_key}"}
        url = f"{self.running.url}/v1/sessions/{session['id']}"
        async with aiohttp.ClientSession(headers=headers) as http, http.delete(url) as response:
            assert response.status in {202, 204}

    async def get(self, path: str) -> Any:
        """Return what the API says."""
        headers = {"Authorization": f"Bearer {self.running.api_key}"}
        async with aiohttp.ClientSession(headers=headers) as http, http.get(self.running.url + path) as response:
            return await response.json()


@asynccontextmanager
async def exchange(folder: Path, **sip: Any) -> AsyncIterator[Exchange]:
    """Run a deployment with a trunk that is this machine; ``sip`` are settings of SIP."""
    port = free_port()
    told = {
        "sip": {"listen": [f"udp:{HOST}:{port}"], "ready_s": 30, **sip},
        "trunks": {"pbx": PBX},
        "routes": ROUTES,
    }
    (folder / "telephony.yaml").write_text(yaml.safe_dump(told))
    environment = {"VOICEBACKEND_TELEPHONY": str(folder / "telephony.yaml")}
    async with site(
        CONFIG, workers=1, environment={**environment, "VOICEBACKEND_AGENTS": "telephone_agents"}
    ) as running:
        yield Exchange(running, port, folder / "telephony.yaml")

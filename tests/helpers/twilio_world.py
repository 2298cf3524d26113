"""A deployment that calls by a double of Twilio: who is called is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import twilio_double
import yaml
from carrier_call import TwilioCall
from deployment import Site, site
from telephone_agents import DESK
from twilio_double import TwilioDouble

CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.05}}
BUSY, NOBODY, PERSON, MACHINE = "+14155550111", "+14155550112", "+14155550123", "+14155550124"
ROUTES = {
    "version": 1,
    "targets": {"desk": {"provider": "mock", "agent": "desk"}},
    "routes": [{"id": "all", "use": [{"to": [{"target": "desk"}]}]}],
}
OVER, OVER_S = {"done", "failed", "cancelled"}, 60.0
ALWAYS = [{"zone": "UTC", "from": "00:00", "until": "00:00"}]


async def curious(call: TwilioCall) -> None:
    """Ask, and hang up after the answer; where another answer comes, listen to the end."""
    call.say("who is there")
    await call.answered()
    if call.words == "who is there":
        await call.hang_up()
    await call.closed()


class World:
    """A deployment, the carrier that it calls by, what called parties do and what each stream of theirs heard."""

    site: Site
    carrier: TwilioDouble
    http: aiohttp.ClientSession

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.party: Callable[[TwilioCall], Awaitable[None]] = curious

    async def ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Return what the API answers."""
        async with self.http.request(method, f"{self.site.url}{path}", **how) as response:
            told = await response.json()
            assert response.status < 300, told
            return dict(told)

    async def call(self, to: str, **more: Any) -> str:
        """Have a number called; return the call's id."""
        body = {"to": to, "trunk": "main", "agent": "parrot", "windows": ALWAYS, **more}
        return str((await self.ask("POST", "/v1/calls", json=body))["id"])

    async def over(self, call: str) -> dict[str, Any]:
        """Return a call once it is over."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(OVER_S):
                while found.get("state") not in OVER:
                    await asyncio.sleep(0.1)
                    found = await self.ask("GET", f"/v1/calls/{call}")
        except TimeoutError:
            told = [(one.status, one.answers) for one in self.carrier.calls]
            raise AssertionError(found, told) from None
        return found

    async def live(self) -> str:
        """Return the session of the last call, once its caller is there."""
        async with asyncio.timeout(OVER_S):
            while True:
                sessions = (await self.ask("GET", "/v1/sessions"))["sessions"]
                for one in sessions:
                    if one["state"] == "active" and one["metadata"]["call_id"] == self.carrier.calls[-1].sid:
                        return str(one["id"])
                await asyncio.sleep(0.05)

    async def end_of(self, session: str) -> str:
        """Return why a session ended, once it has."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(OVER_S):
            while found.get("state") not in {"ended", "failed"}:
                await asyncio.sleep(0.1)
                found = await self.ask("GET", f"/v1/sessions/{session}")
        return str(found["reason"])


@asynccontextmanager
async def twilio_world(folder: Path) -> AsyncIterator[World]:
    """Run a deployment with a trunk at a double of Twilio; its file is kept in the folder."""
    world = World()

    async def talk(url: str, token: str) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
            call = TwilioCall(ws, token)
            holding = asyncio.create_task(call.run(), name="called party")
            try:
                await world.party(call)
            finally:
                world.heard.append(call.words)
                holding.cancel()
                await asyncio.gather(holding, return_exceptions=True)

    async with twilio_double.twilio(talk) as carrier:
        outbound = {"caller_ids": ["+14155550100"], "cps": 20, "concurrent": 10}
        trunk = {"carrier": "twilio", "secret": twilio_double.TOKEN, "account": twilio_double.ACCOUNT}
        trunks = {"main": {**trunk, "api_url": carrier.url, "outbound": outbound, "transfer_to": [DESK]}}
        (path := folder / "telephony.yaml").write_text(yaml.safe_dump({"trunks": trunks, "routes": ROUTES}))
        environment = {"VOICEBACKEND_TELEPHONY": str(path), "VOICEBACKEND_AGENTS": "telephone_agents"}
        async with site(CONFIG, workers=1, environment=environment) as running:
            await running.start("beat", "celery", "-A", "control", "beat")
            headers = {"Authorization": f"Bearer {running.api_key}"}
            async with aiohttp.ClientSession(headers=headers) as http:
                world.site, world.carrier, world.http = running, carrier, http
                yield world

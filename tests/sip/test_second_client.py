"""Spoken conversations with baresip, a telephone of another maker; the engines are those that the product ships."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import process
import pytest
import pytest_asyncio
from environment import environment
from sip_site import MOCK, NUMBER, SipSite, pressed, said, sip_site
from voices import recordings

from providers.engines.stt.moonshine import Moonshine
from providers.transcribe import transcribe
from voicebackend.audio import PIPELINE_RATE, level_dbfs, resample

pytestmark = [
    pytest.mark.peers,
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
BARESIP = ["baresip-python==0.5.2a3"]
ENGINES = {"provider": "local", "stt_provider": "moonshine", "tts_provider": "hibari"}
RATE = 8000
CARD = "Your account is in good order, and your new card is on its way."
COLLEAGUE = "Please hold the line while I look for a colleague of mine."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SipSite]:
    """Give a deployment that hears and speaks by models on this machine."""
    await asyncio.to_thread(environment, "baresip", BARESIP)
    folder = tmp_path_factory.mktemp("sip")
    async with sip_site(folder, ENGINES, agents="telephone_agents", agent="clerk", ready_s=20) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Told:
    """What the telephone said of its call, and what it heard."""

    steps: list[dict[str, Any]]
    heard: bytes

    def within(self, step: int) -> bytes:
        """Return what was heard during a step, counted from the one after the call was answered."""
        start, end = self.steps[step].get("heard", 0), self.steps[step + 1]["heard"]
        return self.heard[start * 2 : end * 2]

    @property
    def over(self) -> dict[str, Any]:
        """The telephone's own figures."""
        return self.steps[-1]


async def call(site: SipSite, folder: Path, *steps: str, transport: str = "udp", **options: str) -> Told:
    """Have the telephone call and do these steps; ``options`` are those of ``baresip_oracle.py``."""
    for one in recordings():
        (folder / one.name).with_suffix(".pcm").write_bytes(resample(one.pcm, PIPELINE_RATE, RATE))
    python = await asyncio.to_thread(environment, "baresip", BARESIP)
    uri, recording = f"sip:{NUMBER}@{site.target};transport={transport}", folder / "heard.pcm"
    chosen = [f"--{name}={value}" for name, value in {**options, "transport": transport}.items()]
    await site.ready()
    lines = await process.run(python, "baresip_oracle.py", *chosen, uri, str(recording), *steps, s=120)
    told = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return Told(told, recording.read_bytes() if recording.exists() else b"")


async def understood(pcm: bytes) -> str:
    """Return what the product's own recogniser makes of it."""
    engine = Moonshine()
    await engine.open()
    try:
        return await transcribe(engine, resample(pcm, RATE, PIPELINE_RATE))
    finally:
        await engine.aclose()


def alike(one: str, other: str) -> float:
    """Return how alike two sayings are, from 0 to 1."""
    first, second = (" ".join(re.findall(r"[a-z]+", text.lower())) for text in (one, other))
    return SequenceMatcher(None, first, second).ratio()


async def test_a_spoken_conversation_is_held(site: SipSite, tmp_path: Path) -> None:
    """Speech both ways, before and after the caller holds the line; keys; then the caller hangs up."""
    before = await site.calls()
    asks, more = (tmp_path / name for name in ("caller_balance.pcm", "caller_human_agent.pcm"))
    steps = (f"say:{asks}", "answered", "hold:1.5", "resume", f"say:{more}", "answered", "press:12#", "wait:0.5")
    told = await call(site, tmp_path, *steps, "hang_up")
    for step, text in ((1, CARD), (5, COLLEAGUE)):
        answer = told.within(step)
        assert 2 < len(answer) / 2 / RATE < 15
        assert -40 < level_dbfs(answer) < -8
        assert alike(await understood(answer), text) > 0.8, await understood(answer)
    assert told.over["lost"] == 0
    call_id = await site.next_call(before)
    events = await site.events(call_id)
    assert said(events, "agent") == [CARD, COLLEAGUE]
    assert alike(said(events, "user")[0], "Can you tell me the balance of my checking account?") > 0.8
    assert pressed(events) == "12#"
    assert (await site.session(call_id))["reason"] == "hangup"


async def test_the_telephone_learns_that_the_call_was_ended(site: SipSite, tmp_path: Path) -> None:
    """We hang up once the agent has answered."""
    before = await site.calls()
    asks = tmp_path / "caller_balance.pcm"
    calling = asyncio.create_task(call(site, tmp_path, f"say:{asks}", "hung_up_on"), name="baresip")
    call_id = await site.next_call(before)
    await site.until(call_id, role="agent", final=True)
    await site.end(call_id)
    told = await calling
    assert told.steps[-2]["step"] == "hung_up_on"
    assert (await site.session(call_id))["reason"] == "closed"


async def test_a_conversation_by_tcp_in_a_law_with_keys_in_signalling(site: SipSite, tmp_path: Path) -> None:
    """The other ways that telephones have for the same."""
    before = await site.calls()
    steps = (f"say:{tmp_path / 'caller_balance.pcm'}", "answered", "press:73", "wait:0.5", "hang_up")
    told = await call(site, tmp_path, *steps, transport="tcp", codec="pcma", keys="info")
    assert alike(await understood(told.within(1)), CARD) > 0.8
    assert pressed(await site.events(await site.next_call(before))) == "73"


async def test_a_telephone_that_knows_the_secret_is_let_in(tmp_path: Path) -> None:
    """It is asked for it by digest, without the weaker hash; one that guesses is refused."""
    trunk = {"user": "branch-office", "secret": "correct horse battery staple"}
    async with sip_site(tmp_path, MOCK, agents="telephone_agents", trunk={**trunk, "digest": ["SHA-256"]}) as site:
        told = await call(site, tmp_path, "wait:0.5", "hang_up", **trunk)
        assert [step["step"] for step in told.steps] == ["established", "wait", "hang_up", "over"]
        told = await call(site, tmp_path, "hang_up", user="branch-office", secret="guessed")
        assert [step["step"] for step in told.steps] == ["refused"]
        assert len(await site.calls()) == 1

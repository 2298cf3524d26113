"""``docs/telephony.md`` as a new user goes through it: every file, every command, and at last a call."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from carrier_call import TwilioCall
from carrier_webhooks import stream_of

from control.http.app import ALL_ROUTES
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from control.telephony.settings import TelephonySettings
from voicebackend.cli.stack import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "telephony.md").read_text(encoding="utf-8")
PUBLIC = "https://voice.example.com"
READY_S = 90.0
TOOLS = ("curl", "openssl")
CONFIG = {"provider": "mock", "provider_config": {"decode": True, "seconds_per_character": 0.05}}
"""Engines that hear and speak tones, in the place of those that need real speech."""


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def environment(home: Path) -> dict[str, str]:
    """Return a new user's: our commands, and nothing set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    return {**ours, "PATH": path, "HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}


async def shell(script: str, folder: Path) -> str:
    """Run commands to their end; return what they print."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script), cwd=folder, env=environment(folder), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    assert process.returncode == 0, script
    return printed.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder with the files that the page has the user write."""
    (tmp_path / "my_agents.py").write_text(blocks("python")[0])
    for name, text in zip(("telephony.yaml", "routes.yaml"), blocks("yaml"), strict=False):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_file_of_the_page_is_good(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A telephony file, whole, or a routing table."""
    for name in re.findall(r"_env: (\w+)", text):
        monkeypatch.setenv(name, "0123456789abcdef0123456789abcdef")
    found = yaml.safe_load(text)
    if "trunks" not in found:
        Snapshot(RoutingTable.of(found))
        return
    (tmp_path / "telephony.yaml").write_text(text)
    (tmp_path / "routes.yaml").write_text(blocks("yaml")[1])
    TelephonySettings.from_file(tmp_path / "telephony.yaml").snapshot()


@pytest.mark.parametrize("script", blocks("sh"))
async def test_every_command_of_the_page_can_be_read(script: str, tmp_path: Path) -> None:
    """By the shell; and those of ours are there, with these options."""
    process = await asyncio.create_subprocess_exec("bash", "-n", "-c", script, cwd=tmp_path)
    assert await process.wait() == 0
    for command in re.findall(r"^(?:voicebackend calls|voicebackend|python -m \S+) \S+", script, re.MULTILINE):
        told = await shell(f"{command} --help", tmp_path)
        line = next(line for line in script.splitlines() if line.startswith(command))
        assert set(re.findall(r" (--[a-z-]+)", line)) <= set(re.findall(r"--[a-z-]+", told))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"/v1/[\w/{}<>$*-]*[\w}>]", PAGE))))
def test_every_path_of_the_page_is_there(path: str) -> None:
    """Whatever stands for a name in it."""
    assert any(_fits(route.path, path) for route in ALL_ROUTES), path


def _fits(pattern: str, path: str) -> bool:
    parts, found = pattern.split("/"), path.split("/")
    return len(parts) == len(found) and all(
        part.startswith("{") or part == one for part, one in zip(parts, found, strict=True)
    )


async def test_a_route_is_tried_before_anybody_calls(folder: Path) -> None:
    """The table is good, and says where a call would go, and by which route."""
    told = await shell(blocks("sh")[0], folder)
    assert re.search(r'"route": "(sales|rest)"', told), told


@pytest.fixture
async def stack(folder: Path) -> AsyncIterator[Mapping[str, Any]]:
    """Give the stack, as the page has it started, with other engines and at a free port."""
    port = free_port()
    (folder / "routes.yaml").write_text(
        (folder / "routes.yaml").read_text().replace("provider: local", "provider: mock")
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    exports, _, command = blocks("sh")[1].rpartition("voicebackend up")
    starting = f"{exports}exec voicebackend up{command.replace('8080', str(port)).rstrip()} --config config.yaml"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", starting), cwd=folder, env=environment(folder), stdout=log, stderr=log
        )
        try:
            await until_ready(port, process, folder / "log")
            yield {"port": port, "exports": exports, "folder": folder}
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            async with asyncio.timeout(30):
                await process.wait()


async def until_ready(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Return once sessions can be had."""
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as http:
        while True:
            assert process.returncode is None, log.read_text()[-3000:]  # noqa: ASYNC240 - it is over
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as ready:
                    if ready.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"the page's commands need {' and '.join(TOOLS)}")
async def test_who_follows_the_page_talks_with_their_agent(stack: Mapping[str, Any]) -> None:
    """The carrier is played by the page's own command, and then by one that streams."""
    script = stack["exports"] + blocks("sh")[2].replace("8080", str(stack["port"]))
    async with asyncio.timeout(60):
        while "<Stream" not in (answer := await shell(script, stack["folder"])):  # noqa: ASYNC110 - asks anew
            await asyncio.sleep(1)  # until a target that had no worker at the start counts as well again
    url, token = stream_of("twilio", answer)
    assert url.startswith("wss://voice.example.com/v1/telephony/twilio/stream/")
    here = url.replace("wss://voice.example.com", f"http://127.0.0.1:{stack['port']}")
    async with aiohttp.ClientSession() as http, http.ws_connect(here) as ws:
        call = TwilioCall(ws, token)
        running = asyncio.create_task(call.run(), name="carrier")
        call.say("five canaries")
        await call.answered()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    said = call.words.lower()
    assert "you said five canaries" in said or "we are closed" in said, said

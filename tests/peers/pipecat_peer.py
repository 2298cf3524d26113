"""A real Pipecat server for tests: where it runs, and how it is started."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from environment import environment
from process import serving

REQUIREMENTS = ("pipecat-ai[websocket,runner]==1.14.0",)
ROOT = Path(__file__).parents[2]
OURS = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/doubles'}"}
"""Variables with which the server finds ``listening``."""


async def python() -> Path:
    """Return the Python that has Pipecat."""
    return await asyncio.to_thread(environment, "pipecat", REQUIREMENTS)


@asynccontextmanager
async def route() -> AsyncIterator[str]:
    """Run a server with a route of its own; give its websocket's address."""
    async with serving(await python(), "pipecat_server.py", "route", variables=OURS) as port:
        yield f"ws://127.0.0.1:{port}/ws"


@asynccontextmanager
async def runner() -> AsyncIterator[str]:
    """Run Pipecat's development runner, which wants tokens; give the address at which sessions are started."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with serving(await python(), "pipecat_server.py", "runner", str(port), variables=OURS):
        yield f"http://127.0.0.1:{port}/start"

"""Two control processes and a worker behind a load balancer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from balancer import Balancer, balancer
from chaos_agents import EFFECTS
from deployment import Site, site

from voicebackend.cli.stack import free_port


@asynccontextmanager
async def two_gateways(config: Mapping[str, Any], folder: Path) -> AsyncIterator[tuple[Site, Balancer]]:
    """Run them behind a balancer that prefers the first, ``control``; the other is ``control-2``."""
    async with balancer() as balanced:
        environment = {EFFECTS: str(folder / "effects"), "VOICEBACKEND_PUBLIC_URL": balanced.url}
        async with site(config, workers=1, environment=environment) as running:
            second = free_port()
            await running.start("control-2", "control", VOICEBACKEND_PORT=str(second))
            async with asyncio.timeout(30):
                while not running.said("control-2", "control serves"):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
            balanced.backends = [int(running.url.rsplit(":", 1)[1]), second]
            yield running, balanced

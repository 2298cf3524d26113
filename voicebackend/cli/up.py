"""``voicebackend up``: the whole development stack until Ctrl-C, with one stream of logs."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from voicebackend.cli.logs import ConsoleLog
from voicebackend.cli.stack import Stack, development_config, ended
from voicebackend.settings import Deployment


async def run_stack(port: int, config: Path | None, console: Console) -> None:
    """Run until SIGINT or SIGTERM.

    Raises:
        PipelineError: a process ended by itself; the others have been ended too.
        InvalidConfig: the port is taken, or there is no Redis to be found.

    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    deployment = replace(Deployment.from_env(), port=port)
    starting = asyncio.create_task(_serve(deployment, config, console), name="stack")
    stopping = asyncio.create_task(stop.wait(), name="signal")
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


async def _serve(deployment: Deployment, config: Path | None, console: Console) -> None:
    async with Stack(deployment, development_config(config), ConsoleLog(console)) as stack:
        console.print(
            f"[bold]up[/bold] on {stack.url}; in another terminal: [bold]voicebackend call FILE.wav[/bold]; Ctrl-C ends"
        )
        console.print(
            "[bold]voicebackend open[/bold] talks to it in a browser, [bold]voicebackend open console[/bold] watches it"
        )
        raise ended(await stack.died())

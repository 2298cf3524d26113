"""``voicebackend test PATH…``: hold scenarios, in a process of their own, as they need engines and pipelines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence


async def hold_scenarios(arguments: Sequence[str]) -> int:
    """Run the program, which prints what it finds, and return its exit code; it ends with us."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "worker.scenarios", *arguments)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
